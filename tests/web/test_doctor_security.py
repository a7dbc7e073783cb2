"""`spanfeed doctor --security`: one line for each thing that makes an installation safe or unsafe."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from pipeline import settings as settings_table
from pipeline.store import audit, audit_chain, migrate, open_store
from web.cli import main
from web.doctor import security
from web.doctor.examination import examine_security
from web.doctor.lines import Level, Line

GOOD = "q7Zr2mW9xT4vB8nK1cJ6hD3fG5sL0pYa"
Look = Callable[..., dict[str, Line]]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Examines settings, and gives the lines by name."""
    (tmp_path / "home").mkdir(mode=0o700)

    def examined(**environment: str) -> dict[str, Line]:
        given = {"SPANFEED_HOME": str(tmp_path / "home"), "SPANFEED_SECRET_KEY": GOOD, **environment}
        return {line.name: line for line in examine_security(settings_table.load(given))}

    return examined


def test_a_safe_installation_is_called_safe(look: Look) -> None:
    """Without this an operator would learn to read past the warnings."""
    lines = look(
        REDIS_URL="rediss://web:word@redis.example.org/0",
        DATABASE_URL="postgresql://app:word@127.0.0.1:1/chat",
        SPANFEED_BROKER_URL="amqps://u:word@mq.example.org//",
        SPANFEED_PUBLIC_CHAT="off",
        SPANFEED_TRUSTED_PROXIES="1",
    )
    # The database is not there: that is its own line, and says nothing else.
    assert {name for name, line in lines.items() if line.level is not Level.OK} == {"audit trail"}
    assert {name for name, line in look().items() if line.level is not Level.OK} == set()


UNSAFE: dict[str, tuple[dict[str, str], str, Level]] = {
    "short key": ({"SPANFEED_API_KEY": "short"}, "secrets", Level.FAULT),
    "example's key": ({"GOVSTACK_ADMIN_API_KEY": "changeme-changeme-changeme-1"}, "secrets", Level.FAULT),
    "no secret": ({"SPANFEED_SECRET_KEY": ""}, "secrets", Level.WARNING),
    "public chat": ({"SPANFEED_HOST": "0.0.0.0", "SPANFEED_PUBLIC_CHAT": "on"}, "public chat", Level.WARNING),
    "public behind a proxy": ({"SPANFEED_TRUSTED_PROXIES": "1"}, "public chat", Level.WARNING),
    "open feeds": ({"SPANFEED_OPEN_FEEDS": "on"}, "open feeds", Level.WARNING),
    "plain http": ({"SPANFEED_HOST": "0.0.0.0"}, "tls", Level.WARNING),
    "plain origin": ({"SPANFEED_ALLOWED_ORIGINS": "http://chat.example.org"}, "tls", Level.WARNING),
    "proxies": ({"SPANFEED_HOST": "::", "SPANFEED_TRUSTED_PROXIES": "2"}, "trusted proxies", Level.WARNING),
    "redis without a password": ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "redis access", Level.WARNING),
    "redis elsewhere without one": ({"REDIS_URL": "rediss://10.0.0.9/0"}, "redis access", Level.FAULT),
    "redis elsewhere in plain": ({"REDIS_URL": "redis://u:word@10.0.0.9/0"}, "redis access", Level.WARNING),
    "any certificate": ({"REDIS_URL": "rediss://u:w@10.0.0.9/0?ssl_cert_reqs=none"}, "redis access", Level.FAULT),
    "broker": ({"SPANFEED_BROKER_URL": "amqp://u:word@10.0.0.9//"}, "broker access", Level.WARNING),
    "database": ({"DATABASE_URL": "postgresql://u:w@192.0.2.1/d"}, "database access", Level.WARNING),
    "redaction": ({"SPANFEED_REDACTION": "off"}, "redaction", Level.WARNING),
    "redaction's pack": ({"SPANFEED_REDACTION_PACKS": "xx"}, "redaction", Level.FAULT),
    "content": (
        {"SPANFEED_SPAN_CONTENT_ATTRIBUTES": "gen_ai.prompt", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"},
        "span content",
        Level.WARNING,
    ),
    "failpoints": ({"SPANFEED_FAILPOINTS": "save.ended"}, "failpoints", Level.FAULT),
}


@pytest.mark.parametrize("kind", [kind for kind in UNSAFE if kind != "database"])
def test_what_is_unsafe_is_said_with_its_mend(look: Look, kind: str) -> None:
    """Without this an installation would stay open, and nobody would know by which setting."""
    environment, name, level = UNSAFE[kind]
    line = look(**environment)[name]
    assert line.level is level, line
    assert line.mend


def test_a_database_elsewhere_without_tls(tmp_path: Path) -> None:
    """Without this passwords and messages would cross a network in plain."""
    from web.doctor.patient import Patient

    environment, name, level = UNSAFE["database"]
    settings = settings_table.load({"SPANFEED_HOME": str(tmp_path), **environment})
    lines = {line.name: line for line in security.servers(Patient(settings, None, open_store(settings)))}
    assert lines[name].level is level


def test_others_may_read_keys_or_enter(look: Look, tmp_path: Path) -> None:
    """Without this everybody on the machine could take the key that chains the audit trail."""
    (tmp_path / "home" / "audit_key").write_text("word")
    (tmp_path / "home" / "audit_key").chmod(0o644)
    (tmp_path / "home").chmod(0o755)
    lines = look()
    assert (lines["keys"].level, lines["home folder"].level) == (Level.FAULT, Level.WARNING)


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    """A server on every address of this machine."""
    address = security._own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    with socket.create_server(("0.0.0.0", 0)) as server:
        yield address, server.getsockname()[1]


def test_flower_that_answers_beyond_this_machine(look: Look, listening: tuple[str, int]) -> None:
    """Without this two of Flower's pages would be open to the network."""
    address, port = listening
    line = look(SPANFEED_FLOWER_PORT=str(port))["flower"]
    assert line.level is Level.FAULT
    assert address in line.found


def test_a_broken_audit_trail(look: Look, tmp_path: Path) -> None:
    """Without this nobody would look, and a trail that was cut off would be found when it is too late."""
    assert look()["audit trail"].found == "there is no database yet"
    store = open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path / "home")}))
    migrate.upgrade(store)
    assert look()["audit trail"].found == "it is empty"
    audit.record(store, "os:ann", "test", "thing", None, "done")
    audit_chain.anchor(store)
    assert look()["audit trail"].found == "1 entries, the chain is whole"
    with store.write() as connection:
        connection.execute(text("DROP TRIGGER audit_entries_no_delete"))
        connection.execute(text("DELETE FROM audit_entries"))
    line = look()["audit trail"]
    assert line.level is Level.FAULT
    assert "cut-off at entry 1" in line.found
    store.close()


def test_the_command_says_it_and_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this a deployment could not stop before it opens a door."""
    for name in ("DATABASE_URL", "REDIS_URL", "SPANFEED_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPANFEED_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(**environment: str) -> tuple[int, dict[str, Any]]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(main, ["doctor", "--security", "--json"])
        return done.exit_code, json.loads(done.stdout)

    status, found = run(SPANFEED_SECRET_KEY=GOOD)
    assert (status, found["status"]) == (0, "ok")
    status, found = run(SPANFEED_OPEN_FEEDS="on")
    assert (status, found["status"]) == (0, "warning")
    status, found = run(SPANFEED_API_KEY="short", REDIS_URL="redis://u:sesame-word@10.0.0.9/0")
    assert (status, found["status"]) == (1, "fault")
    assert "sesame-word" not in json.dumps(found)
    lines = CliRunner().invoke(main, ["doctor", "--security"]).stdout.splitlines()
    assert any(line.startswith("fault    secrets: ") and " → " in line for line in lines)

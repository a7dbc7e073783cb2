"""The table of settings: every line can be set, is typed, is refused when it makes no sense, and keeps its secrets."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SettingError
from pipeline.settings import Settings, load

FIELDS = dataclasses.fields(Settings)
KINDS = typing.get_type_hints(Settings)
VARIABLES = [(field, variable) for field in FIELDS for variable in field.metadata["env"]]
NUMBERS = [(field, variable) for field, variable in VARIABLES if KINDS[field.name] in (int, float)]
SECRETS = [field for field in FIELDS if field.metadata["secret"]]
ROOT = Path(__file__).parents[2]


def ids(pairs: list[tuple[dataclasses.Field[Any], str]]) -> list[str]:
    """The variables' names."""
    return [variable for _, variable in pairs]


def sample(kind: type) -> tuple[str, Any]:
    """A value as text, and what it means."""
    return {bool: ("yes", True), int: ("17", 17), float: ("1.5", 1.5), str: (" word ", "word")}[kind]


def test_without_an_environment_everything_has_its_default() -> None:
    """`make run` would ask a newcomer for settings."""
    loaded = load({})
    for field in FIELDS:
        assert getattr(loaded, field.name) == field.default
        assert isinstance(field.default, KINDS[field.name]), field.name


@pytest.mark.parametrize(("field", "variable"), VARIABLES, ids=ids(VARIABLES))
def test_every_line_can_be_set(field: dataclasses.Field[Any], variable: str) -> None:
    """An operator would set what the documentation names, and nothing would happen."""
    text, value = sample(KINDS[field.name])
    loaded = load({variable: text})
    assert getattr(loaded, field.name) == value
    back: dict[str, Any] = {field.name: field.default}
    assert dataclasses.replace(loaded, **back) == load({})


def test_a_line_of_the_table_is_complete() -> None:
    """The documentation would have a setting without a word of explanation, or two with one name."""
    names = ids(VARIABLES)
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[A-Z][A-Z0-9_]+", name) for name in names)
    assert all(field.metadata["help"].endswith(".") for field in FIELDS)
    assert all(KINDS[field.name] in (bool, str) or field.metadata["unit"] for field in FIELDS)


@pytest.mark.parametrize(("field", "variable"), NUMBERS, ids=ids(NUMBERS))
def test_a_number_that_is_none_is_refused_by_name(field: dataclasses.Field[Any], variable: str) -> None:
    """A typing error would show as a crash far away, or as an endless wait."""
    for text in ("abc", "-1", "12 s", "0x10", "1,5"):
        with pytest.raises(SettingError, match=f"^{variable} must "):
            load({variable: text})


@pytest.mark.parametrize("variable", ["SPANFEED_LEASE_SECONDS", "SPANFEED_SCRIPT_DEADLINE_SECONDS"])
@pytest.mark.parametrize("text", ["nan", "inf", "1e999"])
def test_a_wait_without_an_end_is_refused(variable: str, text: str) -> None:
    """A stage would wait for ever, or crash in the middle of an answer."""
    with pytest.raises(SettingError, match=variable):
        load({variable: text})


@pytest.mark.parametrize("text", ["0", "65536", "-1", "5000.0", "http"])
def test_a_port_is_a_port(text: str) -> None:
    """The server would fail later, with an error of the system."""
    with pytest.raises(SettingError, match="PORT"):
        load({"PORT": text})


@pytest.mark.parametrize(
    ("text", "value"),
    [(t, True) for t in ("1", "true", "TRUE", "Yes", " on ")] + [(t, False) for t in ("0", "false", "No", "off", "")],
)
def test_switches_are_words(text: str, value: bool) -> None:
    """`SPANFEED_OPEN_FEEDS=False` would open the feeds."""
    assert load({"SPANFEED_OPEN_FEEDS": text}).open_feeds is value


def test_a_word_that_is_no_switch_is_refused() -> None:
    """A door would be open or closed by accident."""
    with pytest.raises(SettingError, match="SPANFEED_OPEN_FEEDS"):
        load({"SPANFEED_OPEN_FEEDS": "maybe"})


def test_the_first_name_wins() -> None:
    """A platform's PORT would be overruled by a forgotten file."""
    assert load({"SPANFEED_PORT": "7000", "PORT": "7001"}).port == 7001
    assert load({"SPANFEED_PORT": "7000", "PORT": " "}).port == 7000


@pytest.mark.parametrize("field", SECRETS, ids=[field.name for field in SECRETS])
def test_a_secret_is_not_shown(field: dataclasses.Field[Any]) -> None:
    """A key or password would stand in a log, a traceback, or in Flower."""
    secret = "postgresql://user:hunter2secret@host/db"
    loaded = load({field.metadata["env"][0]: secret})
    assert "hunter2secret" not in repr(loaded) + str(loaded)
    assert f"{field.name}=***" in repr(loaded)
    assert loaded.hide_secrets(f"cannot connect to {secret}: refused") == "cannot connect to ***: refused"


def test_every_key_password_and_address_is_a_secret() -> None:
    """A new setting with a password in it would be shown."""
    telling = {f.name for f in FIELDS if re.search("key$|pepper|password|secret|_url$", f.name)} - {
        "openai_base_url",
        "embeddings_base_url",
        "llm_second_base_url",
    }
    assert telling == {field.name for field in SECRETS}


def test_what_is_no_secret_is_shown() -> None:
    """An operator could not see what a process runs with."""
    shown = repr(load({"PORT": "7001"}))
    assert "port=7001" in shown
    assert "api_key=''" in shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{scheme}://u:p@h:1/d?x=y", "postgresql+psycopg://u:p@h:1/d?x=y")
        for scheme in ("postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2", "postgresql+psycopg")
    ]
    + [("sqlite:///a.db", "sqlite:///a.db"), ("sqlite+aiosqlite:////x/a.db", "sqlite:////x/a.db")],
)
def test_the_seeds_spellings_of_a_database_are_understood(url: str, expected: str) -> None:
    """A deployment of the first seed could not be taken over as it is."""
    assert load({"DATABASE_URL": url}).sqlalchemy_url == expected


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "nonsense", "mongodb+srv://u:hunter2@h"])
def test_another_database_is_refused_without_its_password(url: str) -> None:
    """A password would stand in the log of a failed start."""
    with pytest.raises(SettingError, match="DATABASE_URL") as refused:
        _ = load({"DATABASE_URL": url}).sqlalchemy_url
    assert "hunter2" not in str(refused.value)


def test_without_a_database_there_is_a_file_at_home(tmp_path: Path) -> None:
    """A newcomer would have to install a database."""
    loaded = load({"SPANFEED_HOME": str(tmp_path)})
    assert loaded.sqlalchemy_url == f"sqlite:///{tmp_path / 'spanfeed.db'}"
    assert load({"SPANFEED_HOME": "~/x"}).home_path == Path.home() / "x"


def test_derived_settings() -> None:
    """Broker, visitors, origins and export would not follow from what is set."""
    both = load({"REDIS_URL": "redis://a", "CELERY_BROKER_URL": "amqp://b"})
    assert (load({"REDIS_URL": "redis://a"}).celery_broker_url, both.celery_broker_url) == ("redis://a", "amqp://b")
    for host, word, enabled in (
        ("127.0.0.1", "auto", True),
        ("::1", "AUTO", True),
        ("0.0.0.0", "auto", False),
        ("0.0.0.0", "on", True),
        ("127.0.0.1", "off", False),
    ):
        assert load({"SPANFEED_HOST": host, "SPANFEED_PUBLIC_CHAT": word}).public_chat_enabled is enabled
    origins = load({"SPANFEED_ALLOWED_ORIGINS": " https://A.example/, ,http://b.example:81 "}).origins
    assert origins == {"https://a.example", "http://b.example:81"}
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}
    assert load(endpoint).otlp_enabled
    assert not load({}).otlp_enabled
    assert not load({**endpoint, "OTEL_TRACES_EXPORTER": "None"}).otlp_enabled


def test_a_child_process_is_given_the_same_settings(tmp_path: Path) -> None:
    """Worker and web would run with different settings."""
    texts = {variable: sample(KINDS[field.name])[0] for field, variable in VARIABLES}
    loaded = load(texts)
    # OpenTelemetry's variables are passed on as they are: its exporter reads them itself.
    given = {name: text for name, text in texts.items() if name.startswith("OTEL_")}
    assert load({**given, **loaded.environment()}) == loaded
    assert load(load({}).environment()) == load({})


def test_a_child_process_exports_to_where_its_parent_was_told() -> None:
    """Traces would be sent to an address that the collector does not have (without `/v1/traces`)."""
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    code = (
        "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as E; print(E()._endpoint)"
    )
    seen = []
    for more in ({}, load(told).environment()):
        environment = {"PATH": os.environ["PATH"], **told, **more}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
        seen.append(done.stdout.strip())
    assert seen == ["http://127.0.0.1:4318/v1/traces"] * 2


def test_nothing_else_reads_the_environment() -> None:
    """A setting would exist that no table, no documentation and no `.env` file knows."""
    files = [file for room in ("pipeline", "tasks", "web") for file in sorted((ROOT / room).rglob("*.py"))]
    # To pass all of it on to a child process (`**os.environ`) is not reading.
    reading = re.compile(r"os\.getenv|(?<!\*\*)os\.environ\b")
    readers = [f.relative_to(ROOT).as_posix() for f in files if reading.search(f.read_text(encoding="utf-8"))]
    assert set(readers) <= {"pipeline/settings.py"}

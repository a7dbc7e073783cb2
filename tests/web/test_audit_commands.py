"""Commands that administer leave entries in the audit trail, and `spanfeed audit` shows and judges them."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from pipeline import settings as settings_table
from pipeline.store import Store, audit, open_store
from pipeline.store.recording import record
from tests.store.wires import NOW, entries, wire
from web.cli import main

ACTOR = f"os:{pwd.getpwuid(os.getuid()).pw_name}"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a home of its own."""
    for name in ("DATABASE_URL", "REDIS_URL", "SPANFEED_AUDIT_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPANFEED_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def _store(tmp_path: Path) -> Store:
    return open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path / "home")}))


def test_every_administering_command_leaves_an_entry(run: Run, tmp_path: Path) -> None:
    """Without this nobody could find out who removed the documents or the events."""
    (tmp_path / "zebra.md").write_text("# Zebras\n\nThe blue zebra Quillon eats seven turnips.\n", encoding="utf-8")
    assert run("db", "upgrade").exit_code == 0
    store = _store(tmp_path)
    record(store, [*entries([wire(NOW)]), ("77-0", b"no event")], lambda _: "")
    for command in (
        "documents add zebra.md --collection z",
        "documents remove z --yes",
        "events cleanup --hours 876000",
        "events cleanup --dry-run",
        "events export --category workflow",
        "events stats",
        "events dead-letters retry 77-0",
    ):
        run(*command.split())
    found = [(e.action, e.object_type, e.object_id, e.outcome) for e in audit.entries(store)]
    assert found == [
        ("db.upgrade", "database", None, "done"),
        ("documents.add", "collection", "z", "done"),
        ("documents.remove", "collection", "z", "done"),
        ("events.cleanup", "events", None, "done"),
        ("events.export", "events", None, "done"),
        ("dead-letters.retry", "dead_letter", "77-0", "done"),
    ]
    details = [json.loads(e.details) for e in audit.entries(store)]
    assert (details[1]["added"], details[2]["documents"], details[4]["events"], details[5]["stored"]) == (
        1,
        1,
        1,
        False,
    )
    assert {e.actor for e in audit.entries(store)} == {ACTOR}
    store.close()


def test_what_fails_is_told_too(run: Run, tmp_path: Path) -> None:
    """Without this a try that was refused would leave no trace."""
    assert run("db", "upgrade").exit_code == 0
    assert run("events", "dead-letters", "retry", "none").exit_code == 1
    store = _store(tmp_path)
    entry = audit.newest(store, 1)[0]
    assert (entry.action, entry.outcome, json.loads(entry.details)) == (
        "dead-letters.retry",
        "failed",
        {"error": "KeyError"},
    )
    store.close()


def test_a_command_goes_on_where_there_is_no_trail(run: Run, tmp_path: Path) -> None:
    """Without this an installation whose database is broken could not be mended."""
    (tmp_path / "zebra.md").write_text("# Zebras\n\nSeven turnips.\n", encoding="utf-8")
    done = run("documents", "add", "zebra.md")
    assert (done.exit_code, done.stderr) == (0, "")
    assert not (tmp_path / "home" / "spanfeed.db").exists()
    (tmp_path / "home" / "spanfeed.db").touch()
    done = run("documents", "add", "zebra.md")
    assert done.exit_code == 0
    assert "The audit trail has no entry of this" in done.stderr


def test_the_trail_is_listed_exported_anchored_and_verified(run: Run, tmp_path: Path) -> None:
    """Without this an auditor would need SQL, and could not prove anything."""
    run("db", "upgrade")
    run("events", "cleanup")
    listed = run("audit", "list", "--limit", "1")
    assert f"{ACTOR}  events.cleanup  events  done" in listed.stdout
    exported = [json.loads(line) for line in run("audit", "export").stdout.splitlines()]
    assert [entry["number"] for entry in exported] == [1, 2]
    assert exported[1]["previous_hash"] == exported[0]["hash"]
    assert f"Entry 2 is anchored: {exported[1]['hash']}" in run("audit", "anchor").stdout
    verified = run("audit", "verify")
    assert (verified.exit_code, verified.stdout) == (0, f"2 entries, head {exported[1]['hash']}: nothing is wrong\n")
    store = _store(tmp_path)
    with store.write() as connection:
        connection.execute(text("DROP TRIGGER audit_entries_no_delete"))
        connection.execute(text("DELETE FROM audit_entries WHERE number = 2"))
    store.close()
    verified = run("audit", "verify", "--json")
    assert verified.exit_code == 1
    lines = [json.loads(line) for line in verified.stdout.splitlines()]
    assert (lines[0]["fault"], lines[0]["number"], lines[-1]["findings"]) == ("cut-off", 2, 1)
    assert "cut-off    entry 2: it was anchored" in run("audit", "verify").stdout


@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
def test_the_scheduler_asks_for_anchors() -> None:
    """Without this no anchor would be written, and the trail's end could be cut off unseen."""
    import celeryconfig
    from tasks import maintenance
    from tasks.celery import app

    asked = celeryconfig.beat_schedule["audit-anchor"]
    assert app.tasks[asked["task"]].name == maintenance.audit_anchor.name
    assert asked["schedule"] == 3_600.0

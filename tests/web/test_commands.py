"""The commands, as `spanfeed …` and under `flask --app web …`."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.store import events
from pipeline.store.moments import id_at, timestamp_text
from pipeline.store.recording import record
from tests.parts.ports import free_port
from tests.parts.stack import BIN, ROOT
from tests.store.wires import NOW, entries, wire
from tests.web.site import SECRET, Site
from web.cli import main

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, with no settings but its place."""
    for name in ("DATABASE_URL", "REDIS_URL", "SPANFEED_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPANFEED_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPANFEED_SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def _spanfeed(*arguments: str, **more: str) -> Result:
    return CliRunner().invoke(main, arguments, input=more.get("say"))


def _flask(*arguments: str, **more: str) -> Result:
    from pipeline.settings import load
    from web import create_app

    app = create_app(load({**_environment(), "REDIS_URL": "redis://127.0.0.1:1/0"}))
    return app.test_cli_runner().invoke(args=list(arguments), input=more.get("say"))


def _environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if name.startswith("SPANFEED_")}


@pytest.fixture(params=[_spanfeed, _flask], ids=["spanfeed", "flask"])
def run(request: pytest.FixtureRequest, home: Path) -> Run:
    """Runs a command through each of the two doors."""
    made: Run = request.param
    return made


def _stored(home: Path) -> list[int]:
    from pipeline.settings import load
    from pipeline.store import open_store

    store = open_store(load({"SPANFEED_HOME": str(home)}))
    try:
        return [event.id for event in events.latest_session_events(store, "s", 10_000)]
    finally:
        store.close()


AGES = {"workflow": (1, 25, 49), "audit": (1, 49, 8_000, 9_000), "security": (49, 9_000), "realtime": (1, 167, 169)}
"""Hours, by category, of the events that `_fill` stores."""


def _fill(home: Path) -> dict[tuple[str, int], int]:
    """Stores events of several ages and categories and gives their ids."""
    from pipeline.settings import load
    from pipeline.store import open_store

    store = open_store(load({"SPANFEED_HOME": str(home)}))
    now = datetime.datetime.now(datetime.UTC)
    made: dict[tuple[str, int], int] = {}
    entries: list[tuple[str, bytes | None]] = []
    for category, ages in AGES.items():
        for hours in ages:
            event_id = id_at(now - datetime.timedelta(hours=hours)) + len(made)
            made[category, hours] = event_id
            wire = {
                "id": event_id,
                "seq": len(made),
                "timestamp": timestamp_text(event_id),
                "event_type": "agent_thinking",
                "event_status": "started",
                "category": category,
                "priority": "normal",
                "session_id": "s",
                "metadata": {},
            }
            entries.append((f"{event_id}-0", json.dumps(wire).encode()))
    assert record(store, entries, lambda _: "").buried == 0
    store.close()
    return made


def test_a_new_database_is_made_ready(run: Run, home: Path) -> None:
    """An operator could not prepare a database, or would not see that it is ready."""
    first = run("db", "upgrade")
    assert first.exit_code == 0, first.output
    assert first.output.startswith("Migrated from None to ")
    again = run("db", "upgrade")
    assert again.exit_code == 0
    assert again.output.startswith("The database is at revision ")
    assert "newest" in run("db", "current").output


def test_statistics_show_what_is_stored(run: Run, home: Path) -> None:
    """An operator could not see whether events are recorded, or how old they are."""
    run("db", "upgrade")
    made = _fill(home)
    shown = run("events", "stats")
    assert shown.exit_code == 0, shown.output
    lines = {line.split()[0]: line.split()[-1] for line in shown.output.splitlines() if len(line.split()) == 2}
    assert lines["Events:"] == str(len(made))
    assert lines["Sessions:"] == "1"
    assert lines["Oldest:"] == timestamp_text(min(made.values()))
    assert lines["Newest:"] == timestamp_text(max(made.values()))
    counts = [line.split() for line in shown.output.splitlines()]
    assert ["4", "audit"] in counts
    assert [str(len(made)), "agent_thinking", "started"] in counts


def test_statistics_of_an_empty_database(run: Run, home: Path) -> None:
    """An operator who looks too early would see an error."""
    run("db", "upgrade")
    shown = run("events", "stats")
    assert shown.exit_code == 0
    assert "Oldest:        -" in shown.output


def test_old_chat_events_are_cleaned_up_by_hand(run: Run, home: Path) -> None:
    """An operator could not make room; or audit and security would go with the chat."""
    run("db", "upgrade")
    made = _fill(home)
    tried = run("events", "cleanup", "--hours", "24", "--dry-run")
    assert tried.exit_code == 0, tried.output
    assert tried.output.strip() == "2 chat events older than 24 h would be deleted"
    assert len(_stored(home)) == len(made)
    done = run("events", "cleanup", "--hours", "24")
    assert done.output.strip() == "2 chat events older than 24 h deleted"
    gone = {made["workflow", 25], made["workflow", 49]}
    assert set(_stored(home)) == set(made.values()) - gone
    assert run("events", "cleanup", "--hours", "24").output.startswith("0 chat events")


def test_without_hours_every_category_has_its_own_age(run: Run, home: Path) -> None:
    """The scheduled cleanup would take audit events after a day, or keep chat for ever."""
    run("db", "upgrade")
    made = _fill(home)
    tried = run("events", "cleanup", "--dry-run")
    assert tried.exit_code == 0, tried.output
    assert len(_stored(home)) == len(made)
    done = run("events", "cleanup")
    counts = {line.split()[1]: int(line.split()[0]) for line in done.output.splitlines()}
    assert counts == {line.split()[1]: int(line.split()[0]) for line in tried.output.splitlines()}
    expected = {"workflow": 2, "audit": 1, "security": 1, "realtime": 1}
    assert {name: count for name, count in counts.items() if count} == expected
    old = {("workflow", 25), ("workflow", 49), ("audit", 9_000), ("security", 9_000), ("realtime", 169)}
    assert set(_stored(home)) == {event_id for name, event_id in made.items() if name not in old}


@pytest.mark.parametrize("hours", ["0", "-1", "soon", "nan", "inf", "1e9", "1e300"])
def test_an_age_that_makes_no_sense_deletes_nothing(run: Run, home: Path, hours: str) -> None:
    """A slip of the hand would delete everything, or end in a page of Python."""
    run("db", "upgrade")
    made = _fill(home)
    done = run("events", "cleanup", "--hours", hours)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert len(_stored(home)) == len(made)


def test_beat_asks_for_the_cleanup() -> None:
    """Old events would stay until somebody thinks of them."""
    import celeryconfig

    schedule: dict[Any, dict[str, Any]] = {entry["task"]: entry for entry in celeryconfig.beat_schedule.values()}
    assert schedule["spanfeed.cleanup"]["schedule"] == 3_600
    assert schedule["spanfeed.cleanup"]["options"]["queue"] == "spanfeed.maintenance"


def test_the_documents_are_added_listed_and_removed(run: Run, home: Path, tmp_path: Path) -> None:
    """A user could not ask about their own files, or could not take them away again."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "zebra.md").write_text("# Zebras\n\nThe blue zebra eats seven turnips a day.\n", encoding="utf-8")
    (folder / "lion.txt").write_text("The lion sleeps in the afternoon.\n", encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    added = run("documents", "add", str(folder), "--collection", "animals")
    assert added.exit_code == 0, added.output
    assert "animals: 2 added, 0 replaced, 0 unchanged, 0 removed" in added.output
    assert "2 unchanged" in run("documents", "add", str(folder), "--collection", "animals").output
    assert "animals: 2 documents, 2 chunks" in run("documents", "list").output
    paths = run("documents", "list", "animals").output.split()
    assert [Path(path).name for path in paths] == ["lion.txt", "zebra.md"]
    assert "1 documents with 1 chunks removed from animals" in run("documents", "remove", "animals", paths[0]).output
    assert "animals: 1 documents" in run("documents", "list").output


def test_a_whole_collection_is_not_removed_by_accident(run: Run, home: Path, tmp_path: Path) -> None:
    """A name that is typed too early would take a whole collection."""
    page = tmp_path / "page.md"
    page.write_text("# A page\n\nWith a sentence that can be found.\n", encoding="utf-8")
    run("documents", "add", str(page), "--collection", "kept")
    refused = run("documents", "remove", "kept", say="n\n")
    assert refused.exit_code == 1
    assert "kept: 1 documents" in run("documents", "list").output
    assert run("documents", "remove", "kept", "--yes").exit_code == 0
    assert "kept" not in run("documents", "list").output


BROKEN = {"1-1": b"{", "2-1": b"\x1b[2Jnot json\nat all", "3-1": None}


def _bury(home: Path) -> bytes:
    """Lets four entries lie with the dead letters; one of them would be an event by now, and its bytes are given."""
    from sqlalchemy import update

    from pipeline.settings import load
    from pipeline.store import open_store
    from pipeline.store.models import dead_letters

    store = open_store(load({"SPANFEED_HOME": str(home)}))
    record(store, [*BROKEN.items(), ("4-1", b"[")], lambda _: "")
    good = wire(NOW)
    with store.write() as connection:
        connection.execute(update(dead_letters).where(dead_letters.c.entry_id == "4-1").values(wire=good))
    store.close()
    return good


def test_dead_letters_are_listed(run: Run, home: Path) -> None:
    """An operator could not see what is missing from the record, or why."""
    run("db", "upgrade")
    assert run("events", "dead-letters", "list").output == "There are no dead letters.\n"
    assert run("events", "dead-letters", "list", "--json").output == ""
    _bury(home)
    shown = run("events", "dead-letters", "list")
    assert shown.exit_code == 0
    assert re.search(
        r"^2-1  \d+ s  not an event: JSON is malformed: .*\n    \[2Jnot json at all$", shown.output, re.MULTILINE
    )
    lines = [
        json.loads(line)
        for line in run("events", "dead-letters", "list", "--json", "--limit", "2").output.split("\n")[:-1]
    ]
    assert [(line["entry_id"], line["payload"]) for line in lines] == [("1-1", "{"), ("2-1", "[2Jnot json at all")]
    assert all(line["reason"] and line["age_seconds"] >= 0 for line in lines)


def test_dead_letters_are_tried_again(run: Run, home: Path) -> None:
    """After a fault was mended, what it had kept out of the record would stay out."""
    run("db", "upgrade")
    good = _bury(home)
    tried = run("events", "dead-letters", "retry", "4-1", "1-1", "9-9")
    assert tried.exit_code == 1
    assert tried.output.splitlines() == [
        "4-1: stored.",
        "1-1: stays a dead letter: not an event: Input data was truncated.",
        "9-9: there is no such dead letter.",
    ]
    assert run("events", "export").output.encode() == good + b"\n"
    every = run("events", "dead-letters", "retry", "--all")
    assert (every.exit_code, [line.split(":")[0] for line in every.output.splitlines()]) == (1, list(BROKEN))
    assert run("events", "dead-letters", "retry").exit_code == 2
    assert run("events", "dead-letters", "retry", "--all", "1-1").exit_code == 2


def test_with_no_dead_letters_all_is_well(run: Run, home: Path) -> None:
    """A job that tries them every night would report a failure every night."""
    run("db", "upgrade")
    done = run("events", "dead-letters", "retry", "--all")
    assert (done.exit_code, done.output) == (0, "There are no dead letters.\n")


def test_the_record_is_exported_as_it_was_announced(run: Run, home: Path) -> None:
    """An auditor's copy would differ from what users saw, or end after the first page."""
    run("db", "upgrade")
    wires = [wire(NOW + number, seq=number + 1) for number in range(230)]
    wires += [wire(NOW + 300, session_id="s-2", message_id="m-2"), wire(NOW + 301, category="audit", message_id="m-2")]
    from pipeline.settings import load
    from pipeline.store import open_store

    store = open_store(load({"SPANFEED_HOME": str(home)}))
    record(store, entries(wires), lambda _: "")
    store.close()

    def exported(*arguments: str) -> list[bytes]:
        done = run("events", "export", *arguments)
        assert done.exit_code == 0, done.output
        return done.stdout_bytes.splitlines()

    assert exported() == wires
    assert exported("--session", "s-1") == [*wires[:230], wires[231]]
    assert exported("--message", "m-2") == wires[230:]
    assert exported("--category", "audit") == wires[231:]
    assert exported("--category", "audit", "--category", "workflow", "--limit", "150") == wires[:150]
    assert exported("--after", str(NOW + 227)) == wires[228:]
    assert exported("--session", "nobody") == []


def test_what_is_not_there_cannot_be_removed(run: Run, home: Path) -> None:
    """A user who mistypes a name would believe that the document is gone."""
    done = run("documents", "remove", "nothing", "page.md")
    assert done.exit_code == 1
    assert "There is no such document or collection in the index." in done.output


@pytest.mark.parametrize("arguments", [("events", "stats"), ("events", "cleanup", "--hours", "1"), ("db", "upgrade")])
def test_a_database_that_does_not_answer_is_one_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """An operator would read a page of Python, with the password in it."""
    monkeypatch.setenv("DATABASE_URL", f"postgresql://somebody:secret-word@127.0.0.1:{free_port()}/none")
    done = _spanfeed(*arguments)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.output.startswith("Error: ")
    assert len(done.output.splitlines()) == 1
    assert "secret-word" not in done.output


def test_a_setting_that_cannot_be_used_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator would read a page of Python instead of the setting's name."""
    monkeypatch.setenv("DATABASE_URL", "mysql://localhost/x")
    done = _spanfeed("events", "stats")
    assert done.exit_code == 1
    assert done.output.startswith("Error: DATABASE_URL must begin with")


def test_both_doors_are_real(home: Path, make_site: Callable[..., Site]) -> None:
    """What works inside a test would not be found by the shell."""
    import os

    environment = {**os.environ, "REDIS_URL": make_site().settings.redis_url}
    for command in (["spanfeed"], ["flask", "--app", "web"]):
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:], "events", "cleanup", "--hours", "24", "--dry-run"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout.strip() == "0 chat events older than 24 h would be deleted", done.stderr


@pytest.mark.parametrize("script", ["add_event_tracking.py", "event_cleanup.py"])
def test_the_first_seeds_scripts_still_work(home: Path, script: str) -> None:
    """An operator's own jobs, written for the first seed, would fail at night."""
    import os

    arguments = ["cleanup", "--hours", "24", "--dry-run"] if script == "event_cleanup.py" else []
    if script == "event_cleanup.py":
        assert _spanfeed("db", "upgrade").exit_code == 0
    done = subprocess.run(
        [sys.executable, f"scripts/{script}", *arguments],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "would be deleted" in done.stdout if arguments else "Migrated" in done.stdout

"""The schema: what the migrations make is what the program believes, and starting twice or together is harmless."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from pipeline import settings as settings_table
from pipeline.store import Store, migrate, open_store
from pipeline.store.models import metadata
from tests.parts.stack import ROOT
from tests.store.wires import NOW, stored, wire

VIEW_COLUMNS = [
    "id",
    "session_id",
    "message_id",
    "event_type",
    "event_status",
    "event_data",
    "user_message",
    "timestamp",
    "processing_time_ms",
]
_UPGRADE = """
import sys
from pipeline import settings
from pipeline.store import migrate, open_store
store = open_store(settings.load({"SPANFEED_HOME": sys.argv[1], "DATABASE_URL": sys.argv[2]}))
print("ready", flush=True)
sys.stdin.readline()
print(migrate.upgrade(store)[1])
store.close()
"""


def test_an_empty_database_is_brought_to_the_newest_schema(database_url: str, tmp_path: Path) -> None:
    """A newcomer's first start would end with a missing table."""
    store = open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path / "new"), "DATABASE_URL": database_url}))
    assert migrate.current_revision(store) is None
    newest = migrate.newest_revision()
    assert newest is not None
    assert migrate.upgrade(store) == (None, newest)
    assert migrate.upgrade(store) == (newest, newest)
    assert migrate.current_revision(store) == newest
    store.close()


def test_the_newest_revision_is_the_one_at_the_migrations_end() -> None:
    """A web server would call itself ready with an older schema, or never."""
    script = Config()
    script.set_main_option("script_location", str(ROOT / "migrations"))
    assert ScriptDirectory.from_config(script).get_heads() == [migrate.newest_revision()]


def test_upgrading_again_keeps_what_is_stored(store: Store) -> None:
    """Every start would empty the record."""
    stored(store, wire(NOW))
    migrate.upgrade(store)
    with store.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar_one() == 1


def test_migrations_make_what_the_models_say(store: Store) -> None:
    """A query would name a column that a migrated database does not have."""
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_programs_that_start_together_migrate_one_after_the_other(database_url: str, tmp_path: Path) -> None:
    """Web, worker and recorder of a first start would disturb each other's migration."""
    command = [sys.executable, "-c", _UPGRADE, str(tmp_path / "home"), database_url]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, text=True, **pipes) for _ in range(4)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=60) for process in started]
    assert [(process.returncode, *end) for process, end in zip(started, ends, strict=True)] == [
        (0, f"{migrate.newest_revision()}\n", "")
    ] * 4


def test_the_first_seeds_table_can_still_be_read_with_sql(store: Store) -> None:
    """Other tools that read `chat_events` would find nothing."""
    stored(
        store,
        wire(NOW, event_data={"count": 3}, processing_time_ms=7),
        wire(NOW + 1, session_id=None, seq=None),
        wire(NOW + 2, event_status=None),
        wire(NOW + 3, category="audit"),
    )
    with store.read() as connection:
        assert [column["name"] for column in inspect(connection).get_columns("chat_events")] == VIEW_COLUMNS
        found = connection.execute(text("SELECT * FROM chat_events ORDER BY id")).mappings().all()
    assert [row["id"] for row in found] == [NOW, NOW + 3]
    assert {k: found[0][k] for k in ("session_id", "message_id", "event_type", "event_status")} == {
        "session_id": "s-1",
        "message_id": "m-1",
        "event_type": "agent_thinking",
        "event_status": "started",
    }
    assert found[0]["processing_time_ms"] == 7
    assert str(found[0]["timestamp"]).startswith("2026-11-20 12:00:30")


def test_the_indexes_that_pages_and_polling_need_are_there(store: Store) -> None:
    """A page's history would be searched through all events of all users."""
    with store.read() as connection:
        indexes = {tuple(index["column_names"]) for index in inspect(connection).get_indexes("events")}
    assert {("session_id", "id"), ("message_id", "id"), ("timestamp",)} <= indexes


@pytest.mark.parametrize("database", ["postgresql"])
def test_events_by_time_are_found_by_a_small_index(postgres: Any, tmp_path: Path, database: str) -> None:
    """A year of audit events would need an index as large as themselves."""
    store = open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path), "DATABASE_URL": postgres.new_database()}))
    migrate.upgrade(store)
    with store.read() as connection:
        made = connection.execute(text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_events_timestamp'"))
        assert "USING brin" in made.scalar_one()
    store.close()

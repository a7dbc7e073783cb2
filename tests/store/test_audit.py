"""The audit trail: chained entries, and every way of tampering with them shows."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline import settings as settings_table
from pipeline.errors import StoreUnavailable
from pipeline.store import Store, audit, audit_chain, migrate, open_store
from pipeline.store.audit_chain import Fault
from tests.parts.postgres_part import PostgresPart
from tests.parts.stack import ROOT
from tests.store.wires import NOW, stored, wire

_WRITER = """
import sys
from pipeline import settings
from pipeline.store import audit, open_store
store = open_store(settings.load({"SPANFEED_HOME": sys.argv[1], "DATABASE_URL": sys.argv[2]}))
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    audit.record(store, sys.argv[3], "test", "thing", str(number), "done")
"""


def _add(store: Store, count: int = 5) -> None:
    for number in range(count):
        audit.record(store, "os:ann", "documents.add", "collection", f"c{number}", "done", {"n": number, "é": [None]})


def _faults(store: Store) -> set[tuple[str, int]]:
    return {(str(finding.fault), finding.number) for finding in audit_chain.verify(store)}


def _tamper(store: Store, *statements: str) -> None:
    """As somebody who owns the table, and takes away what keeps mistakes away."""
    with store.write() as connection:
        if store.dialect == "postgresql":
            connection.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER ALL"))
        else:
            for word in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS audit_entries_no_{word}"))
        for statement in statements:
            connection.execute(text(statement))


def test_entries_are_numbered_chained_and_read_back(store: Store) -> None:
    """Without this an auditor could not tell who did what, nor trust that it is all."""
    _add(store)
    found = list(audit.entries(store))
    assert [entry.number for entry in found] == [1, 2, 3, 4, 5]
    assert found[0].previous_hash == audit.START
    assert all(one.hash == two.previous_hash for one, two in itertools.pairwise(found))
    assert found[2].fields()["details"] == {"n": 2, "é": [None]}
    assert [entry.number for entry in audit.newest(store, 2)] == [5, 4]
    assert [entry.number for entry in audit.entries(store, after=1, limit=2)] == [2, 3]
    assert _faults(store) == set()


TAMPERINGS: dict[str, tuple[tuple[str, ...], set[tuple[str, int]]]] = {
    "changed": (("UPDATE audit_entries SET actor = 'os:eve' WHERE number = 3",), {(Fault.CHANGED, 3)}),
    "changed details": (("UPDATE audit_entries SET details = '{}' WHERE number = 2",), {(Fault.CHANGED, 2)}),
    "changed time": (
        ("UPDATE audit_entries SET at = '2020-01-01 00:00:00+00' WHERE number = 1",),
        {(Fault.CHANGED, 1)},
    ),
    "deleted": (("DELETE FROM audit_entries WHERE number = 3",), {(Fault.MISSING, 3)}),
    "first deleted": (("DELETE FROM audit_entries WHERE number = 1",), {(Fault.MISSING, 1)}),
    "deleted and renumbered": (
        (
            "DELETE FROM audit_entries WHERE number = 3",
            "UPDATE audit_entries SET number = 3 WHERE number = 4",
            "UPDATE audit_entries SET number = 4 WHERE number = 5",
        ),
        {(Fault.REORDERED, 3), (Fault.CHANGED, 3), (Fault.CHANGED, 4)},
    ),
    "reordered": (
        (
            "UPDATE audit_entries SET number = 99 WHERE number = 2",
            "UPDATE audit_entries SET number = 2 WHERE number = 3",
            "UPDATE audit_entries SET number = 3 WHERE number = 99",
        ),
        {(Fault.REORDERED, 2), (Fault.REORDERED, 3), (Fault.REORDERED, 4), (Fault.CHANGED, 2), (Fault.CHANGED, 3)},
    ),
    "cut off": (("DELETE FROM audit_entries WHERE number > 3",), {(Fault.CUT_OFF, 5)}),
    "emptied": (("DELETE FROM audit_entries",), {(Fault.CUT_OFF, 5)}),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_is_found(store: Store, kind: str) -> None:
    """Without this somebody with the database's password could take out what they did."""
    statements, faults = TAMPERINGS[kind]
    _add(store)
    assert audit_chain.anchor(store) is not None
    assert _faults(store) == set()
    _tamper(store, *statements)
    # An anchor that was written for the last entry tells of it, too, when that is another one now.
    found = _faults(store)
    assert faults <= found
    assert {fault for fault, _ in found - faults} <= {Fault.CUT_OFF, Fault.REWRITTEN}


def test_a_trail_that_was_written_anew_with_a_right_chain_is_found(store: Store) -> None:
    """Without this whoever has the key could replace the whole trail."""
    _add(store)
    audit_chain.anchor(store)
    _tamper(store, "DELETE FROM audit_entries")
    _add(store)
    assert (Fault.REWRITTEN, 5) in _faults(store)


def test_an_anchor_that_was_made_up_is_found(store: Store) -> None:
    """Without this somebody could cut the trail off and write an anchor that agrees."""
    _add(store)
    audit_chain.anchor(store)
    path = audit_chain.anchors_path(store.settings)
    path.write_bytes(path.read_bytes().replace(b'"number":5', b'"number":4') + b"no anchor\n")
    assert _faults(store) == {(Fault.ANCHOR, 0)}


def test_another_key_is_noticed(store: Store) -> None:
    """Without this a chain that anybody can compute would pass for ours."""
    _add(store, 1)
    settings = settings_table.load(
        {
            "SPANFEED_HOME": store.settings.home,
            "DATABASE_URL": store.settings.database_url,
            "SPANFEED_AUDIT_KEY": "another key",
        }
    )
    other = open_store(settings)
    assert _faults(other) == {(Fault.CHANGED, 1)}
    other.close()


def test_an_anchor_is_written_once_for_each_head_and_for_its_owner_alone(store: Store) -> None:
    """Without this the file would grow by a line each hour for nothing, or others could read and change it."""
    assert audit_chain.anchor(store) is None
    _add(store, 1)
    first = audit_chain.anchor(store)
    assert audit_chain.anchor(store) == first
    _add(store, 1)
    audit_chain.anchor(store)
    path = audit_chain.anchors_path(store.settings)
    assert len(path.read_bytes().splitlines()) == 2
    for file in (path, store.settings.home_path / "audit_key"):
        assert file.stat().st_mode & 0o077 == 0


def test_the_table_refuses_changes(store: Store) -> None:
    """Without this a slip in a console could change what an auditor reads."""
    _add(store, 1)
    for statement in ("UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries"):
        with pytest.raises((DBAPIError, StoreUnavailable)), store.write() as connection:
            connection.execute(text(statement))
    assert _faults(store) == set()


def test_several_writers_chain_rightly(store: Store) -> None:
    """Without this two administrators at once would break the chain, and both would be accused."""
    command = [sys.executable, "-c", _WRITER, store.settings.home, store.settings.database_url]
    audit.record(store, "os:ann", "test", "thing", None, "done")
    writers = [
        subprocess.Popen([*command, f"os:{n}"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for n in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert audit.head(store) is not None
    assert [entry.number for entry in audit.entries(store)] == list(range(1, 62))
    assert _faults(store) == set()


def test_secrets_and_over_long_texts_do_not_stay_in_the_trail(store: Store) -> None:
    """Without this the one table that nobody may clean up would keep a password for ever."""
    audit.record(
        store, "os:" + "x" * 500, "test", "thing", "joe@example.org", "done", {"password": "plain", "t": "y" * 20_000}
    )
    entry = audit.newest(store, 1)[0]
    assert len(entry.actor) == 128
    assert entry.object_id == "[mail]"
    assert "plain" not in entry.details
    assert len(entry.details) < 100
    assert _faults(store) == set()


@pytest.fixture
def app_store(postgres: PostgresPart, tmp_path: Path) -> Callable[[], Store]:
    """A migrated PostgreSQL, opened as the role of roles.sql."""
    owner_url = postgres.new_database()
    owner = open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path), "DATABASE_URL": owner_url}))
    migrate.upgrade(owner)
    owner.close()
    script = (ROOT / "deploy" / "postgresql" / "roles.sql").read_text(encoding="utf-8")
    for _ in range(2):
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute(script.encode())

    def make() -> Store:
        url = owner_url.replace("postgres@", "spanfeed_app@")
        return open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path), "DATABASE_URL": url}))

    return make


def test_the_role_of_the_processes_may_only_add_to_the_trail(app_store: Callable[[], Store]) -> None:
    """Without this a program that was broken into could take its traces out of the trail."""
    store = app_store()
    stored(store, wire(NOW))
    _add(store, 2)
    assert _faults(store) == set()
    for statement in (
        "UPDATE audit_entries SET actor = 'x'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "ALTER TABLE audit_entries DISABLE TRIGGER ALL",
        "DROP TABLE audit_entries",
        "UPDATE alembic_version SET version_num = '0001'",
        "CREATE TABLE mine (x int)",
    ):
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"), store.write() as connection:
            connection.execute(text(statement))
    with store.write() as connection:
        connection.execute(text("DELETE FROM events"))
    store.close()

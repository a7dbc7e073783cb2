"""The connection to the database: away, lost, forked, busy; told in one word and never for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from pipeline import settings as settings_table
from pipeline.errors import StoreUnavailable
from pipeline.store import Store, migrate, open_store
from pipeline.store import events as stored_events
from pipeline.store.rows import row_of
from tests.parts.ports import free_port
from tests.parts.postgres_part import PostgresPart
from tests.parts.waiting import wait_for
from tests.store.test_conversations import ask, told
from tests.store.wires import NOW, stored, wire


def test_a_database_that_cannot_be_reached_is_told_in_time(tmp_path: Path) -> None:
    """The recorder and the chat would hang, or end with an error of some library."""
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/nothing"
    store = open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path), "DATABASE_URL": url}))
    started = time.monotonic()
    for call in (store.ping, lambda: stored(store, wire(NOW)), lambda: migrate.upgrade(store)):
        with pytest.raises(StoreUnavailable):
            call()
    assert time.monotonic() - started < 15
    store.close()


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """A full or missing disk would look like a fault of the program."""
    url = f"sqlite:///{tmp_path}/missing/folder/x.db"
    store = open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path), "DATABASE_URL": url}))
    with pytest.raises(StoreUnavailable):
        store.ping()
    store.close()


def test_a_database_that_was_stopped_is_told(tmp_path: Path) -> None:
    """The recorder would end instead of waiting until the database is back."""
    part = PostgresPart()
    try:
        settings = settings_table.load({"SPANFEED_HOME": str(tmp_path), "DATABASE_URL": part.new_database()})
        store = open_store(settings)
        migrate.upgrade(store)
        stored(store, wire(NOW))
        # At once: an orderly stop would wait until the store lets its connections go.
        part._process.send_signal(signal.SIGQUIT)
        part._process.wait(20)
    finally:
        part.stop()
    for call in (store.ping, lambda: stored(store, wire(NOW + 1)), lambda: told(store)):
        with pytest.raises(StoreUnavailable):
            call()
    store.close()


def _cut(store: Store) -> None:
    with store.write() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
        )


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_connection_that_is_lost_in_the_middle_loses_nothing(store: Store) -> None:
    """After a failover of the database half a batch would be stored, or nothing any more."""
    other = open_store(store.settings)
    other.ping()

    def write_and_lose() -> None:
        with store.write() as connection:
            stored_events.insert_rows(connection, [row_of(wire(NOW))])
            _cut(other)
            stored_events.insert_rows(connection, [row_of(wire(NOW + 1))])

    with pytest.raises(StoreUnavailable):
        write_and_lose()
    assert stored_events.newest_id(store) == 0
    stored(store, wire(NOW + 2))
    assert stored_events.newest_id(store) == NOW + 2
    # A connection that was cut while nobody used it is not noticed by anybody.
    _cut(other)
    store.ping()
    other.close()


def test_a_transaction_that_fails_writes_nothing(store: Store) -> None:
    """Half an answer would be stored."""

    def fail() -> None:
        with store.write() as connection:
            stored_events.insert_rows(connection, [row_of(wire(NOW))])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert stored_events.newest_id(store) == 0
    ask(store, "m-1")
    with pytest.raises(IntegrityError):
        ask(store, "m-1")
    store.ping()


def test_readers_do_not_wait_for_a_writer(store: Store) -> None:
    """A page would not load while the recorder stores a batch."""
    stored(store, wire(NOW))
    with store.write() as connection:
        stored_events.insert_rows(connection, [row_of(wire(NOW + 1))])
        started = time.monotonic()
        assert stored_events.newest_id(store) == NOW
        assert time.monotonic() - started < 2
    assert stored_events.newest_id(store) == NOW + 1


def test_writers_wait_for_each_other(store: Store) -> None:
    """Web, worker and recorder would refuse messages because another of them was writing."""
    faults: list[Exception] = []

    def write(worker: int) -> None:
        try:
            for n in range(10):
                ask(store, f"m-{worker}-{n}")
                stored(store, wire(NOW + worker * 100 + n))
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (faults, len(told(store))) == ([], 60)
    assert stored_events.statistics(store)["total"] == 60


def test_a_writer_waits_for_one_that_takes_its_time(sqlite_store: Store) -> None:
    """On SQLite a message would be refused at once while a batch is being stored."""
    done = threading.Event()

    def write() -> None:
        ask(sqlite_store, "m-1")
        done.set()

    second = threading.Thread(target=write)
    with sqlite_store.write() as connection:
        stored_events.insert_rows(connection, [row_of(wire(NOW))])
        second.start()
        assert not done.wait(0.3)
    assert done.wait(10)
    second.join(10)
    assert len(told(sqlite_store)) == 1


_FORK = """
import os, sys
from pipeline import settings
from pipeline.store import conversations as talk, open_store
store = open_store(settings.load({"SPANFEED_HOME": sys.argv[1], "DATABASE_URL": sys.argv[2]}))
def work(name):
    for n in range(10):
        assert talk.open_session(store, f"{name}-{n}", "o", None, "en") in (True, False)
        assert talk.find_session(store, f"{name}-{n}").owner == "o"
work("before")
children = []
for n in range(3):
    child = os.fork()
    if child == 0:
        work(f"child{n}")
        store.close()
        os._exit(0)
    children.append(child)
work("parent")
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
work("after")
store.close()
"""


def test_a_forked_worker_has_connections_of_its_own(store: Store) -> None:
    """Two children of a worker would speak into one connection and break both."""
    environment = [store.settings.home, store.settings.database_url]
    done = subprocess.run([sys.executable, "-c", _FORK, *environment], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_request_waits_for_a_connection_when_all_are_taken(store: Store) -> None:
    """At the busiest moment requests would be refused that had only to wait for an instant."""
    release = threading.Event()

    def hold() -> None:
        with store.read() as connection:
            connection.execute(text("SELECT 1"))
            release.wait(30)

    holders = [threading.Thread(target=hold) for _ in range(25)]
    for holder in holders:
        holder.start()
    wait_for(lambda: store.engine.pool.checkedout() == 25, "all connections taken")  # type: ignore[attr-defined]
    waiting = threading.Thread(target=store.ping)
    waiting.start()
    release.set()
    for thread in (*holders, waiting):
        thread.join(20)
    assert not waiting.is_alive()


def test_a_store_that_was_closed_opens_again(store: Store) -> None:
    """A second use after a shutdown would fail in a confusing way."""
    stored(store, wire(NOW))
    store.close()
    store.close()
    assert stored_events.newest_id(store) == NOW

"""Storing a whole batch at once: the same rows, refusals and counts as one by one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from pipeline.errors import StoreUnavailable
from pipeline.store import Store, bulk, events
from pipeline.store.bulk import NotNew, Refused
from pipeline.store.models import events as table
from pipeline.store.rows import row_of
from tests.store.test_recording import count, counted
from tests.store.wires import NOW, stored, wire

ODD: list[dict[str, Any]] = [
    {"user_message": "a\\b\tc\nd\re\\N \\. é 🔍 '\""},
    {"user_message": "\\N", "task_id": ""},
    *({"user_message": f"one {odd} only"} for odd in "\\\t\n\r"),
    {"event_data": [], "metadata": "text"},
    {"event_data": 0, "metadata": False},
    {"event_data": {"k": '\\u0000 \\ " \n'}, "metadata": None},
    {"seq": None, "session_id": None, "event_status": None, "processing_time_ms": 2**40},
]


def rows(store: Store) -> list[Any]:
    """The table."""
    with store.read() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def test_a_row_is_the_same_by_either_way(store: Store) -> None:
    """What an auditor reads would depend on how busy the recorder was."""
    made = [row_of(wire(NOW + number, **odd)) for number, odd in enumerate(ODD)]
    with store.write() as connection:
        events.insert_new_rows(connection, events.new_rows(store.dialect, made))
    at_once = rows(store)
    with store.write() as connection:
        connection.execute(table.delete())
        events.insert_rows(connection, made)
    assert at_once == rows(store)
    assert len(at_once) == len(ODD)


def test_a_batch_of_which_one_is_known_is_refused_whole(store: Store) -> None:
    """After a crash a batch would be stored in part, or counted twice."""
    stored(store, wire(NOW + 1))
    with pytest.raises(NotNew), store.write() as connection:
        bulk.store_new(connection, bulk.written(store.dialect, [row_of(wire(NOW + n)) for n in range(3)]))
    assert (count(store), counted(store)) == (1, 1)
    stored(store, *(wire(NOW + n) for n in range(3)))
    assert (count(store), counted(store)) == (3, 3)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("wrong", [{"task_id": "a\x00b"}, {"task_id": "x" * 65}, {"seq": 2**63}])
def test_what_copy_cannot_take_is_refused(store: Store, wrong: dict[str, Any]) -> None:
    """The recorder would take one bad event for a database that is away, and wait for ever."""
    with pytest.raises(Refused), store.write() as connection:
        bulk.store_new(connection, bulk.written(store.dialect, [row_of(wire(NOW)), row_of(wire(NOW + 1, **wrong))]))
    assert count(store) == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_connection_that_is_cut_in_the_middle_is_waited_for(store: Store) -> None:
    """A restart of the database would end the recorder, or bury good events."""

    def cut() -> None:
        with store.write() as connection:
            number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with store.read() as other:
                other.execute(text("SELECT pg_terminate_backend(:n)"), {"n": number})
            events.insert_new_rows(connection, events.new_rows(store.dialect, [row_of(wire(NOW))]))

    def cut_in_copy() -> None:
        with store.write() as connection:
            number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with store.read() as other:
                other.execute(text("SELECT pg_terminate_backend(:n)"), {"n": number})
            bulk.store_new(connection, bulk.written(store.dialect, [row_of(wire(NOW))]))

    for way in (cut, cut_in_copy):
        with pytest.raises(StoreUnavailable):
            way()
        assert stored(store, wire(NOW + 1)).buried == 0
    assert count(store) == 1

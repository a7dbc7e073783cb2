"""How far the log is stored, as the database remembers it."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from pipeline.errors import StoreUnavailable
from pipeline.store import Store, marks
from pipeline.store.marks import Mark
from pipeline.store.models import recorder_state
from pipeline.store.recording import record
from tests.store.wires import NOW, error, stored, wire


def test_nothing_is_known_of_a_new_log(store: Store) -> None:
    """Without this a first start would be taken for a Redis that lost its data."""
    assert marks.read(store) == Mark(0, None)


def test_the_newest_entry_is_remembered_with_the_events(store: Store) -> None:
    """Without this a Redis that went back would not be noticed, and numbers be given twice."""
    stored(store, wire(NOW), wire(NOW + 2))
    assert marks.read(store) == Mark(NOW + 2, None)
    stored(store, wire(NOW + 1))
    assert marks.read(store) == Mark(NOW + 2, None)


def test_an_entry_that_could_not_be_stored_counts(store: Store) -> None:
    """Without this a Redis whose newest entry is a dead letter would be thought to have gone back."""
    record(store, [(f"{NOW}-0", wire(NOW)), (f"{NOW + 5}-0", b"poison")], lambda _: "")
    assert marks.read(store).newest_id == NOW + 5


def test_an_entry_with_an_impossible_id_does_not_count(store: Store) -> None:
    """Without this one entry made by hand would lift the clock beyond what numbers can hold, and stop the chat."""
    record(store, [(f"{NOW}-0", wire(NOW)), (f"{2**63}-0", b"poison")], lambda _: "")
    assert marks.read(store).newest_id == NOW


def test_what_was_not_committed_is_not_remembered(store: Store) -> None:
    """Without this events that the database lost would be believed to be stored."""

    def away(_: str) -> str:
        raise StoreUnavailable

    with pytest.raises(StoreUnavailable):
        record(store, [(f"{NOW}-0", error(NOW, "m-1"))], away)
    assert marks.read(store) == Mark(0, None)


def test_the_epoch_is_remembered_beside_it(store: Store) -> None:
    """Without this nobody would be told that Redis was emptied."""
    stored(store, wire(NOW))
    marks.note_epoch(store, marks.read(store), "7")
    assert marks.read(store) == Mark(NOW, "7")
    stored(store, wire(NOW + 1))
    marks.note_epoch(store, marks.read(store), "8")
    assert marks.read(store) == Mark(NOW + 1, "8")


def test_a_database_from_before_knows_its_newest_event(store: Store) -> None:
    """Without this the first start after an update would let ids begin below those that are stored."""
    stored(store, wire(NOW))
    with store.write() as connection:
        connection.execute(delete(recorder_state))
    before = marks.read(store)
    assert before == Mark(NOW, None)
    marks.note_epoch(store, before, "7")
    assert marks.read(store) == Mark(NOW, "7")

"""Reading the record across sessions: a user's events and those for everyone, by indexes of their own."""

from __future__ import annotations

from sqlalchemy import text

from pipeline.event import Event
from pipeline.store import Store, wide_events
from pipeline.store.events import Filters
from pipeline.store.models import FOR_EVERYONE
from tests.store.wires import NOW, stored, wire

EVERYONE = {"unified_event_id": "x", "audience": "everyone"}


def ids(found: list[Event]) -> list[int]:
    """The events' distance from NOW."""
    return [event.id - NOW for event in found]


def test_a_users_pages_follow_one_another(store: Store) -> None:
    """A user who comes back would miss events, or be told another one's."""
    stored(store, *(wire(NOW + n, user_id="anna" if n % 2 else "bert", seq=None) for n in range(10)), wire(NOW + 10))
    assert ids(wide_events.naming_user(store, "anna", 0, NOW + 9, 3)) == [1, 3, 5]
    assert ids(wide_events.naming_user(store, "anna", NOW + 5, NOW + 9, 3)) == [7, 9]
    assert ids(wide_events.naming_user(store, "anna", NOW + 5, NOW + 8, 3)) == [7]
    assert wide_events.naming_user(store, "nobody", 0, NOW + 9, 3) == []
    assert ids(wide_events.all_kinds(store, NOW + 3, NOW + 10, 3)) == [4, 5, 6]


def test_what_is_for_everyone_is_found_by_its_text(store: Store) -> None:
    """A broadcast would not be replayed, or an event with strange metadata could not be stored at all."""
    stored(store, wire(NOW, metadata=EVERYONE), wire(NOW + 1, metadata={"audience": "user"}), wire(NOW + 2))
    stored(store, wire(NOW + 3, metadata=EVERYONE, priority="high"), wire(NOW + 4, metadata={"x": {"y": ["everyone"]}}))
    assert ids(wide_events.for_everyone(store, 0, NOW + 9, 10)) == [0, 3]
    assert ids(wide_events.for_everyone(store, 0, NOW + 9, 10, Filters(priorities=("high",)))) == [3]


def test_neither_question_looks_at_all_events(store: Store) -> None:
    """Each reconnection would read the whole table."""
    mark = FOR_EVERYONE[store.dialect].text
    conditions = {"ix_events_user_id_id": "user_id = 'anna'", "ix_events_everyone": mark}
    explain = "EXPLAIN QUERY PLAN" if store.dialect == "sqlite" else "EXPLAIN"
    with store.read() as connection:
        if store.dialect == "postgresql":
            # An empty table would be read as a whole.
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        for index, condition in conditions.items():
            asked = f"{explain} SELECT * FROM events WHERE id > 1 AND id <= 9 AND {condition} ORDER BY id LIMIT 5"
            told = " ".join(str(row) for row in connection.execute(text(asked)))
            assert index in told, told

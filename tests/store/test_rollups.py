"""Counts by the minute: what a dashboard shows long after the events are gone."""

from __future__ import annotations

import datetime
from typing import Any

from sqlalchemy import select

from pipeline.store import Store, totals
from pipeline.store import events as stored_events
from pipeline.store.conversations import utc
from pipeline.store.models import event_minutes
from pipeline.store.moments import moment_of
from tests.store.wires import MINUTE, NOW, stored, wire

Key = tuple[str, str, str, str]


def minutes(store: Store) -> dict[Key, tuple[int, int, int, int]]:
    """The counts: (minute, category, type, status) to (events, timed, total ms, longest ms)."""
    with store.read() as connection:
        rows = connection.execute(select(event_minutes)).all()
    return {
        (utc(r.minute).strftime("%H:%M"), r.category, r.event_type, r.event_status): (
            r.events,
            r.timed,
            r.total_ms,
            r.longest_ms,
        )
        for r in rows
    }


def done(event_id: int, took_ms: int | None, **changes: Any) -> bytes:
    """A completed event."""
    return wire(event_id, event_status="completed", processing_time_ms=took_ms, **changes)


def test_counts_and_durations_by_the_minute(store: Store) -> None:
    """A dashboard would show the wrong load and the wrong durations."""
    stored(store, wire(NOW), wire(NOW + 1), done(NOW + 2, 10), done(NOW + 3, 30), done(NOW + 4, None))
    stored(store, done(NOW + 5, 20), done(NOW + MINUTE, 7), wire(NOW + 6, event_status=None, category="audit"))
    assert minutes(store) == {
        ("12:00", "workflow", "agent_thinking", "started"): (2, 0, 0, 0),
        ("12:00", "workflow", "agent_thinking", "completed"): (4, 3, 60, 30),
        ("12:01", "workflow", "agent_thinking", "completed"): (1, 1, 7, 7),
        ("12:00", "audit", "agent_thinking", ""): (1, 0, 0, 0),
    }


def test_repeats_are_not_counted(store: Store) -> None:
    """A restarted recorder would double the figures."""
    batch = [done(NOW + n, 10 * n) for n in range(4)]
    stored(store, *batch)
    stored(store, *batch)
    stored(store, batch[3], done(NOW + 9, 5), batch[0])
    assert minutes(store) == {("12:00", "workflow", "agent_thinking", "completed"): (5, 5, 65, 30)}


def test_what_was_buried_is_not_counted(store: Store) -> None:
    """An event that is in no table would be in the figures."""
    stored(store, done(NOW, 5), wire(NOW + 1, seq=2**63), done(NOW + 2, 6))
    assert minutes(store) == {("12:00", "workflow", "agent_thinking", "completed"): (2, 2, 11, 6)}


def test_a_minute_begins_on_the_full_minute(store: Store) -> None:
    """A peak would be drawn in the wrong place."""
    first = NOW - NOW % MINUTE
    stored(store, wire(first - 1), wire(first), wire(first + MINUTE - 1), wire(first + MINUTE))
    assert {key[0]: value[0] for key, value in minutes(store).items()} == {"11:59": 1, "12:00": 2, "12:01": 1}
    with store.read() as connection:
        moment = connection.execute(select(event_minutes.c.minute).order_by(event_minutes.c.minute)).scalars().first()
    assert moment is not None
    assert utc(moment) == datetime.datetime(2026, 11, 20, 11, 59, tzinfo=datetime.UTC)


def test_counts_outlive_their_events(store: Store) -> None:
    """Last month's figures would vanish with last month's events."""
    stored(store, wire(NOW), wire(NOW + 1))
    before = minutes(store)
    assert stored_events.delete_older(store, NOW + 2) == 2
    assert minutes(store) == before


def test_counts_in_all_are_kept_once_for_each_event(store: Store) -> None:
    """Statistics would forget what was deleted, or count twice what a recorder stores a second time."""
    first = [wire(NOW), wire(NOW + 1), wire(NOW + 2, category="security", priority="high", event_type="auth.x")]
    stored(store, *first)
    stored(store, *first, wire(NOW + 3))
    stored_events.delete_older(store, NOW + MINUTE)
    found, dead = totals.in_all(store)
    assert found == [
        totals.Total("workflow", "agent_thinking", "normal", 3),
        totals.Total("security", "auth.x", "high", 1),
    ]
    assert dead == 0


def test_counts_of_late(store: Store) -> None:
    """An operator would see the load of another hour."""
    ids = [NOW + seconds * 1_000_000 for seconds in (0, 86_000, 89_500, 89_990)]
    stored(store, *(wire(event_id) for event_id in ids))
    now = moment_of(NOW + 90_000 * 1_000_000)
    assert totals.lately(store, now) == totals.Lately(minute=1, hour=2, day=3)

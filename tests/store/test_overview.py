"""Counts by duration class: what the overview says of 5 minutes or 90 days."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from sqlalchemy import select

from pipeline.store import Store, overview
from pipeline.store.class_lines import HOUR, MINUTE, SIX_HOURS
from pipeline.store.duration_classes import BOUNDS_MS, UNTIMED, class_of, percentile_ms
from pipeline.store.events import Filters
from pipeline.store.models import event_classes
from pipeline.store.moments import id_at, moment_of
from tests.store.wires import MINUTE as MINUTE_US
from tests.store.wires import NOW, stored, wire

DAY_US = 86_400 * 1_000_000


def done(event_id: int, took_ms: int | None, **changes: Any) -> bytes:
    """A completed event."""
    return wire(event_id, event_status="completed", processing_time_ms=took_ms, **changes)


@pytest.mark.parametrize(
    ("took_ms", "number"), [(None, UNTIMED), (0, 0), (1, 0), (2, 1), (11, 6), (15, 6), (16, 7), (700_000, 34)]
)
def test_each_duration_has_one_class(took_ms: int | None, number: int) -> None:
    """A duration would be drawn in the wrong row of the heat map."""
    assert class_of(took_ms) == number
    assert class_of(BOUNDS_MS[-1] + 1) == len(BOUNDS_MS)


def test_a_percentile_lies_near_what_was_measured() -> None:
    """An operator would be told of slow answers that are none, or not of those that are."""
    durations = [10 + (n * n) % 5_000 for n in range(2_000)]
    counts: dict[int, int] = {}
    for took in durations:
        counts[class_of(took)] = counts.get(class_of(took), 0) + 1
    for share in (0.5, 0.95, 0.99):
        exact = sorted(durations)[int(share * len(durations))]
        assert percentile_ms(counts, share) == pytest.approx(exact, rel=0.2)
    assert percentile_ms({}, 0.5) is None
    assert percentile_ms({len(BOUNDS_MS): 3}, 0.99) == BOUNDS_MS[-1]


def test_a_range_has_at_most_300_buckets() -> None:
    """A page of 90 days would be given more points than it can draw, and wait for them."""
    for minutes in (5, 299, 300, 1_440, 3 * 1_440, 7 * 1_440, 30 * 1_440, 90 * 1_440):
        asked = overview.range_of(NOW - minutes * MINUTE_US, NOW)
        assert 0 < asked.buckets <= overview.BUCKETS_LIMIT
        assert asked.from_id <= NOW - minutes * MINUTE_US
        assert asked.start_id(asked.buckets) >= NOW
    assert overview.range_of(NOW - 60 * MINUTE_US, NOW).step_seconds == MINUTE
    assert overview.range_of(NOW - 60 * MINUTE_US, NOW, NOW).step_seconds == HOUR
    with pytest.raises(ValueError, match="too long"):
        overview.range_of(NOW - 400 * DAY_US, NOW)


@pytest.mark.parametrize("span_us", [10 * MINUTE_US, 9 * 60 * MINUTE_US, 3 * DAY_US, 60 * DAY_US, 85 * DAY_US])
def test_every_step_counts_the_same(store: Store, span_us: int) -> None:
    """A week would hold other events than its days."""
    stored(store, wire(NOW), done(NOW + 1, 10), done(NOW + 2, 400, priority="high"), done(NOW + 3, None))
    stored(store, wire(NOW + 4, event_type="error", event_status="failed"), wire(NOW + 6, event_type="error"))
    stored(store, done(NOW + MINUTE_US, 12), wire(NOW + 5, event_type="auth.x", category="security"))
    asked = overview.range_of(NOW + 2 * MINUTE_US - span_us, NOW + 2 * MINUTE_US)
    [thinking, error, auth] = overview.read(store, asked, Filters())
    assert (thinking.events, thinking.completed, thinking.timed, thinking.total_ms) == (5, 4, 3, 422)
    assert sum(thinking.volume.values()) == 5
    assert [sum(found.values()) for found in thinking.classes.values()] in ([2, 1], [3])
    assert (error.failed, list(error.errors.values()), auth.category) == (1, [1], "security")
    index = next(iter(error.errors))
    assert asked.start_id(index) <= NOW < asked.start_id(index + 1)
    high = overview.read(store, asked, Filters(priorities=("high",), event_types=("agent_*",)))
    assert [(kind.event_type, kind.events) for kind in high] == [("agent_thinking", 1)]
    assert overview.read(store, asked, Filters(statuses=("failed",))) == [
        dataclasses.replace(error, events=1, started=0, volume={index: 1}, errors={index: 1})
    ]


def test_a_repeat_is_not_counted_and_old_counts_are_forgotten(store: Store) -> None:
    """A restarted recorder would double the figures, or the table would grow for ever."""
    batch = [wire(NOW), done(NOW + 1, 5)]
    stored(store, *batch)
    stored(store, *batch)
    asked = overview.range_of(NOW - MINUTE_US, NOW + MINUTE_US)
    assert [kind.events for kind in overview.read(store, asked, Filters())] == [2]
    later = moment_of(NOW) + datetime.timedelta(hours=7)
    overview.forget_before(store, later, later - datetime.timedelta(days=1))
    assert _steps(store) == {HOUR, SIX_HOURS}
    overview.forget_before(store, later, later)
    assert _steps(store) == set()
    assert id_at(later) > NOW


def _steps(store: Store) -> set[int]:
    with store.read() as connection:
        return set(connection.execute(select(event_classes.c.step_seconds)).scalars())

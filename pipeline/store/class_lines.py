"""The lines by which a batch of events is added to the counts by duration class, for each step of time."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator

from pipeline.store.duration_classes import class_of
from pipeline.store.rows import Row

MINUTE, HOUR, SIX_HOURS = 60, 3_600, 21_600
STEPS_SECONDS = (MINUTE, HOUR, SIX_HOURS)
_SECOND_US = 1_000_000
_Key = tuple[int, str, str, str, str, int]
Line = tuple[int, int, str, str, str, str, int, int, int]
"""Step, bucket, category, type, status, priority, class; events, and how long they took together."""


def lines(rows: Iterable[Row]) -> list[Line]:
    """The lines of a batch. Each event is looked at once: the longer steps are counted from the minutes."""
    minutes: dict[_Key, list[int]] = collections.defaultdict(lambda: [0, 0])
    width = MINUTE * _SECOND_US
    for row in rows:
        took, status = row.processing_time_ms, row.event_status or ""
        key = (row.id // width, row.category, row.event_type, status, row.priority, class_of(took))
        count = minutes[key]
        count[0] += 1
        count[1] += took or 0
    return [line for step in STEPS_SECONDS for line in _of_step(step, minutes)]


def _of_step(step: int, minutes: dict[_Key, list[int]]) -> Iterator[Line]:
    buckets: dict[_Key, list[int]] = collections.defaultdict(lambda: [0, 0])
    for (minute, category, event_type, status, priority, number), (events, total_ms) in minutes.items():
        count = buckets[minute * MINUTE // step, category, event_type, status, priority, number]
        count[0] += events
        count[1] += total_ms
    for key, (events, total_ms) in buckets.items():
        yield step, *key, events, total_ms

"""What the operators' overview shows of a range of time, read from the counts by duration class alone."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from typing import Any

from sqlalchemy import BigInteger, Select, cast, delete, func, literal_column, select

from pipeline.event import Status
from pipeline.store.class_lines import HOUR, MINUTE, SIX_HOURS, STEPS_SECONDS
from pipeline.store.duration_classes import UNTIMED
from pipeline.store.engine import Store
from pipeline.store.events import Filters, conditions_of
from pipeline.store.models import event_classes
from pipeline.store.moments import id_at

BUCKETS_LIMIT = 300
_SECOND_US = 1_000_000
_WIDTHS = (
    (60, MINUTE),
    (120, MINUTE),
    (300, MINUTE),
    (3_600, HOUR),
    (7_200, HOUR),
    (21_600, SIX_HOURS),
    (43_200, SIX_HOURS),
)
"""Widths of buckets, each with the step of the counts that it is made of."""


@dataclasses.dataclass(frozen=True)
class Range:
    """A range of time cut into buckets: the number of the first one (by `bucket_seconds` since 2020) and how many."""

    first: int
    buckets: int
    bucket_seconds: int
    step_seconds: int

    @property
    def from_id(self) -> int:
        """The id of the first moment."""
        return self.first * self.bucket_seconds * _SECOND_US

    def start_id(self, index: int) -> int:
        """The id of a bucket's first moment; that of the number `buckets` is the range's end."""
        return (self.first + index) * self.bucket_seconds * _SECOND_US


def range_of(from_id: int, to_id: int, minutes_kept_from: int = 0) -> Range:
    """The range in whole buckets, of the smallest width with which they are not too many.

    What begins before `minutes_kept_from` is made of hours, since the minutes are gone.
    """
    found = None
    for width, step in _WIDTHS:
        first, last = from_id // (width * _SECOND_US), (max(to_id, from_id + 1) - 1) // (width * _SECOND_US)
        found = Range(first, last - first + 1, width, step)
        if found.buckets <= BUCKETS_LIMIT and (step > MINUTE or from_id >= minutes_kept_from):
            return found
    raise ValueError("the range is too long")


@dataclasses.dataclass
class Kind:
    """What there was of one event type: in all, and by bucket."""

    event_type: str
    category: str
    events: int = 0
    started: int = 0
    completed: int = 0
    failed: int = 0
    timed: int = 0
    total_ms: int = 0
    volume: dict[int, int] = dataclasses.field(default_factory=dict)
    errors: dict[int, int] = dataclasses.field(default_factory=dict)
    classes: dict[int, dict[int, int]] = dataclasses.field(default_factory=lambda: collections.defaultdict(dict))
    """By bucket: how many events took how long, by class."""


def read(store: Store, asked: Range, filters: Filters) -> list[Kind]:
    """The event types that pass the filters, the most frequent first. Raises StoreUnavailable.

    How long stages took is told of those that were completed, or of those with the statuses that the filters want.
    """
    kinds: dict[str, Kind] = {}
    timed = filters.statuses or (Status.COMPLETED,)
    with store.read() as connection:
        found: Any = connection.execute(_counts(asked, filters, store.dialect)).all()
    for at, category, event_type, status, number, count, total_ms in found:
        kind = kinds.get(event_type)
        if kind is None:
            kind = kinds[event_type] = Kind(event_type, category)
        index = at - asked.first
        _add(kind, index, status, count)
        if number != UNTIMED and status in timed:
            kind.timed += count
            kind.total_ms += total_ms
            classes = kind.classes[index]
            classes[number] = classes.get(number, 0) + count
    return sorted(kinds.values(), key=lambda kind: (-kind.events, kind.event_type))


def _counts(asked: Range, filters: Filters, dialect: str) -> Select[Any]:
    """Bucket, category, type, status, class, events and ms; what is the same but for its priority may come twice."""
    table, steps = event_classes.c, asked.bucket_seconds // asked.step_seconds
    conditions = (
        table.step_seconds == asked.step_seconds,
        table.bucket >= asked.first * steps,
        table.bucket < (asked.first + asked.buckets) * steps,
        *conditions_of(filters, dialect, table),
    )
    kind = (table.category, table.event_type, table.event_status, table.duration_class)
    if steps == 1:
        # Grouping what is hardly ever twice there takes the database longer than all the rest (measured).
        return select(table.bucket, *kind, table.events, table.total_ms).where(*conditions)
    # Not a parameter: PostgreSQL would not see that what is grouped by is what is selected.
    by: list[Any] = [literal_column(f"bucket / {steps:d}"), *kind]
    sums = (cast(func.sum(column), BigInteger) for column in (table.events, table.total_ms))
    return select(*by, *sums).where(*conditions).group_by(*by)


def _add(kind: Kind, index: int, status: str, count: int) -> None:
    kind.events += count
    kind.volume[index] = kind.volume.get(index, 0) + count
    if status == Status.STARTED:
        kind.started += count
    elif status == Status.COMPLETED:
        kind.completed += count
    elif status == Status.FAILED:
        kind.failed += count
        kind.errors[index] = kind.errors.get(index, 0) + count


def forget_before(store: Store, minutes_before: datetime.datetime, all_before: datetime.datetime) -> None:
    """Deletes the minutes before one moment, and the longer steps before another. Raises StoreUnavailable."""
    table = event_classes.c
    with store.write() as connection:
        for step in STEPS_SECONDS:
            before = id_at(minutes_before if step == MINUTE else all_before) // (step * _SECOND_US)
            connection.execute(delete(event_classes).where(table.step_seconds == step, table.bucket < before))

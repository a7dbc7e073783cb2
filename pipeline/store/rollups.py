"""Counts of events by the minute, kept when the events are gone."""

from __future__ import annotations

import collections
import operator
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.store.dialects import insert_into
from pipeline.store.models import event_minutes
from pipeline.store.moments import moment_of

_MINUTE_US = 60_000_000
_counted = operator.itemgetter("id", "category", "event_type", "event_status", "processing_time_ms")
_NAMES = ("minute", "category", "event_type", "event_status", "events", "timed", "total_ms", "longest_ms")


def count_by_minute(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Adds the events to their minutes' counts."""
    counts: dict[tuple[int, str, str, str], list[int]] = collections.defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        event_id, category, event_type, status, took = _counted(row)
        count = counts[event_id // _MINUTE_US, category, event_type, status or ""]
        count[0] += 1
        if took is not None:
            count[1] += 1
            count[2] += took
            if took > count[3]:
                count[3] = took
    statement = insert_into(connection, event_minutes)
    assert isinstance(statement, postgresql.Insert | sqlite.Insert)
    new = statement.excluded
    longest = func.max if connection.dialect.name == "sqlite" else func.greatest
    statement = statement.on_conflict_do_update(
        index_elements=["minute", "category", "event_type", "event_status"],
        set_={
            "events": event_minutes.c.events + new.events,
            "timed": event_minutes.c.timed + new.timed,
            "total_ms": event_minutes.c.total_ms + new.total_ms,
            "longest_ms": longest(event_minutes.c.longest_ms, new.longest_ms),
        },
    )
    # In one order for everybody, so that two recorders never wait for each other's rows.
    values = ((moment_of(key[0] * _MINUTE_US), *key[1:], *count) for key, count in sorted(counts.items()))
    connection.execute(statement, [dict(zip(_NAMES, line, strict=True)) for line in values])

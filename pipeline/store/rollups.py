"""Counts of events, by the minute and in all, kept when the events are gone."""

from __future__ import annotations

import collections
from collections.abc import Iterable

from sqlalchemy import Connection, TextClause, text

from pipeline.store.moments import moment_text
from pipeline.store.rows import Row

_MINUTE_US = 60_000_000
_KINDS = {
    "minute": "timestamptz",
    "category": "text",
    "event_type": "text",
    "event_status": "text",
    "events": "bigint",
    "timed": "bigint",
    "total_ms": "bigint",
    "longest_ms": "bigint",
}


def _adding(source: str, larger: str) -> TextClause:
    return text(
        f"INSERT INTO event_minutes ({', '.join(_KINDS)}) {source} "  # nosec
        "ON CONFLICT (minute, category, event_type, event_status) DO UPDATE SET "
        "events = event_minutes.events + excluded.events, timed = event_minutes.timed + excluded.timed, "
        "total_ms = event_minutes.total_ms + excluded.total_ms, "
        f"longest_ms = {larger}(event_minutes.longest_ms, excluded.longest_ms)"
    )


# One statement for all lines: one for each would be as many questions to the database.
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _KINDS.items())
_POSTGRESQL = _adding(f"SELECT * FROM unnest({_ARRAYS})", "greatest")  # noqa: S608  # nosec
_SQLITE = _adding(f"VALUES ({', '.join(f':{name}' for name in _KINDS)})", "max")


_TOTALS = "(category, event_type, priority, events)"
_ADDED = "ON CONFLICT (category, event_type, priority) DO UPDATE SET events = event_totals.events + excluded.events"
_ADD_TOTALS = {
    "postgresql": text(
        f"INSERT INTO event_totals {_TOTALS} SELECT * FROM unnest(CAST(:category AS text[]), "  # noqa: S608 - columns  # nosec
        f"CAST(:event_type AS text[]), CAST(:priority AS text[]), CAST(:events AS bigint[])) {_ADDED}"
    ),
    "sqlite": text(
        f"INSERT INTO event_totals {_TOTALS} "  # noqa: S608 - columns  # nosec
        f"VALUES (:category, :event_type, :priority, :events) {_ADDED}"
    ),
}


def count_in_all(connection: Connection, rows: Iterable[Row]) -> None:
    """Adds the events to the counts since the beginning."""
    counts = collections.Counter((row.category, row.event_type, row.priority) for row in rows)
    names = ("category", "event_type", "priority", "events")
    # In one order for everybody, as below.
    lines = [(*key, count) for key, count in sorted(counts.items())]
    if not lines:
        return
    if connection.dialect.name == "postgresql":
        columns = dict(zip(names, map(list, zip(*lines, strict=True)), strict=True))
        connection.execute(_ADD_TOTALS["postgresql"], columns)
    else:
        connection.execute(_ADD_TOTALS["sqlite"], [dict(zip(names, line, strict=True)) for line in lines])


def count_by_minute(connection: Connection, rows: Iterable[Row]) -> None:
    """Adds the events to their minutes' counts."""
    counts: dict[tuple[int, str, str, str], list[int]] = collections.defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        count = counts[row.id // _MINUTE_US, row.category, row.event_type, row.event_status or ""]
        count[0] += 1
        took = row.processing_time_ms
        if took is not None:
            count[1] += 1
            count[2] += took
            if took > count[3]:
                count[3] = took
    if not counts:
        return
    is_postgresql = connection.dialect.name == "postgresql"
    zone = "+00" if is_postgresql else ""
    # In one order for everybody, so that two recorders never wait for each other's rows.
    lines = [(moment_text(key[0] * _MINUTE_US) + zone, *key[1:], *count) for key, count in sorted(counts.items())]
    if is_postgresql:
        connection.execute(_POSTGRESQL, dict(zip(_KINDS, map(list, zip(*lines, strict=True)), strict=True)))
    else:
        connection.execute(_SQLITE, [dict(zip(_KINDS, line, strict=True)) for line in lines])

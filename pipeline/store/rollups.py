"""Counts of events, by the minute, by duration class and in all, kept when the events are gone."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, TextClause, text

from pipeline.store.class_lines import lines as class_lines
from pipeline.store.moments import moment_text
from pipeline.store.rows import Row

_MINUTE_US = 60_000_000


class _Counts:
    """A table of counts by some columns. Columns are names with PostgreSQL's types; `largest` keep the larger value."""

    def __init__(self, table: str, key: Mapping[str, str], counts: Sequence[str], largest: Sequence[str] = ()) -> None:
        self._table, self._key, self._counts, self._largest = table, key, counts, largest
        kinds = {**key, **dict.fromkeys((*counts, *largest), "bigint")}
        self._names = tuple(kinds)
        arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in kinds.items())
        values = ", ".join(f":{name}" for name in kinds)
        self._postgresql = self._adding(f"SELECT * FROM unnest({arrays})", "greatest")  # noqa: S608  # nosec
        self._sqlite = self._adding(f"VALUES ({values})", "max")

    def _adding(self, source: str, larger: str) -> TextClause:
        table = self._table
        sums = [f"{name} = {table}.{name} + excluded.{name}" for name in self._counts]
        sums += [f"{name} = {larger}({table}.{name}, excluded.{name})" for name in self._largest]
        return text(
            f"INSERT INTO {table} ({', '.join(self._names)}) {source} "  # nosec
            f"ON CONFLICT ({', '.join(self._key)}) DO UPDATE SET {', '.join(sums)}"
        )

    def add(self, connection: Connection, lines: Iterable[tuple[Any, ...]]) -> None:
        """Adds lines, each of other keys."""
        # In one order for everybody, so that two recorders never wait for each other's rows.
        ordered = sorted(lines)
        if not ordered:
            return
        if connection.dialect.name == "postgresql":
            # One statement for all lines: one for each would be as many questions to the database.
            columns = zip(*ordered, strict=True)
            connection.execute(self._postgresql, dict(zip(self._names, map(list, columns), strict=True)))
        else:
            connection.execute(self._sqlite, [dict(zip(self._names, line, strict=True)) for line in ordered])


_NAMES = {"category": "text", "event_type": "text"}
_IN_ALL = _Counts("event_totals", {**_NAMES, "priority": "text"}, ["events"])
_BY_MINUTE = _Counts(
    "event_minutes",
    {"minute": "timestamptz", **_NAMES, "event_status": "text"},
    ["events", "timed", "total_ms"],
    largest=["longest_ms"],
)
_BY_CLASS = _Counts(
    "event_classes",
    {
        "step_seconds": "integer",
        "bucket": "bigint",
        **_NAMES,
        "event_status": "text",
        "priority": "text",
        "duration_class": "integer",
    },
    ["events", "total_ms"],
)


class Counts:
    """How often events occurred, found before the transaction that adds it begins."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._in_all = [(*key, count) for key, count in _in_all(rows).items()]
        self._by_minute = _by_minute(rows)
        self._by_class = class_lines(rows)

    def add(self, connection: Connection) -> None:
        """Adds them to what is stored."""
        zone = "+00" if connection.dialect.name == "postgresql" else ""
        lines = [(moment_text(key[0] * _MINUTE_US) + zone, *key[1:], *count) for key, count in self._by_minute.items()]
        _BY_MINUTE.add(connection, lines)
        _BY_CLASS.add(connection, self._by_class)
        _IN_ALL.add(connection, self._in_all)


def _in_all(rows: Sequence[Row]) -> collections.Counter[tuple[str, str, str]]:
    return collections.Counter([(row.category, row.event_type, row.priority) for row in rows])


def _by_minute(rows: Sequence[Row]) -> dict[tuple[int, str, str, str], list[int]]:
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
    return counts

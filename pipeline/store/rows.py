"""The row that an announced event becomes, checked: what is no event is refused before it reaches the database."""

from __future__ import annotations

import datetime
import operator
from typing import Any

import orjson

from pipeline.errors import InvalidEvent
from pipeline.store.models import events
from pipeline.store.moments import moment_of

Row = dict[str, Any]

_FIELDS = tuple(column.name for column in events.columns)
_NEEDED = {"id": int, "event_type": str, "category": str, "priority": str, "timestamp": datetime.datetime}
_JSON_FIELDS = {"event_data", "metadata"}
_NUMBERS = {"seq", "attempt", "processing_time_ms", "queue_time_ms"}
_KINDS: dict[str, Any] = {
    name: _NEEDED.get(name) or (int if name in _NUMBERS else str) | None for name in _FIELDS if name not in _JSON_FIELDS
}
"""What a field of an event may be; anything may stand in the two that are JSON."""
_values = operator.itemgetter(*_FIELDS)
_REMEMBERED_SHAPES = 1_000


class _Shapes:
    """The types that a row's fields have had together, and were right: nearly all events have one of a few shapes."""

    def __init__(self) -> None:
        self._right: set[tuple[type, ...]] = set()

    def check(self, row: Row) -> None:
        """Raises InvalidEvent for a field of a wrong type, KeyError for one that is missing."""
        shape = tuple(map(type, _values(row)))
        if shape in self._right:
            return
        for name, kind in _KINDS.items():
            if not isinstance(row[name], kind) or isinstance(row[name], bool):
                raise InvalidEvent(f"not an event: {name} is a {type(row[name]).__name__}")
        if len(self._right) < _REMEMBERED_SHAPES:
            self._right.add(shape)


_SHAPES = _Shapes()


def row_of(wire: bytes) -> Row:
    """The row for an announced event. Raises InvalidEvent for what cannot be one."""
    try:
        row = orjson.loads(wire)
        if len(row) != len(_FIELDS):
            row = {name: row.get(name) for name in _FIELDS}
        row["timestamp"] = moment_of(row["id"])
        _SHAPES.check(row)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidEvent(f"not an event: {type(error).__name__}") from None
    return row  # type: ignore[no-any-return]

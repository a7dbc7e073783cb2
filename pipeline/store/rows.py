"""The row that an announced event becomes, checked: what is no event is refused before it reaches the database.

A struct with typed fields is read and checked in one go; `benchmarks.recorder` prints what the recorder needs for an
event beside bare COPY.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any

import msgspec
import orjson

from pipeline.errors import InvalidEvent
from pipeline.store.moments import LAST_ID, moment_of

_NULL = msgspec.Raw(b"null")
_EMPTY = (b"null", b"{}")


class Row(msgspec.Struct, kw_only=True, gc=False):
    """An event's fields but for its moment, which its id is; the two that are JSON stay as they were written."""

    id: Annotated[int, msgspec.Meta(ge=0, le=LAST_ID)]
    event_type: str
    category: str
    priority: str
    seq: int | None = None
    event_status: str | None = None
    session_id: str | None = None
    message_id: str | None = None
    user_id: str | None = None
    correlation_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    task_id: str | None = None
    attempt: int | None = None
    user_message: str | None = None
    processing_time_ms: int | None = None
    queue_time_ms: int | None = None
    source_system: str | None = None
    reason: str | None = None
    error_type: str | None = None
    event_data: msgspec.Raw = _NULL
    metadata: msgspec.Raw = _NULL

    @property
    def timestamp(self) -> datetime.datetime:
        """The moment that the id stands for."""
        return moment_of(self.id)

    def fields(self) -> dict[str, Any]:
        """All columns of the table, JSON and moments as Python has them."""
        found = msgspec.structs.asdict(self)
        found["timestamp"] = self.timestamp
        found["event_data"] = orjson.loads(bytes(self.event_data))
        found["metadata"] = orjson.loads(bytes(self.metadata))
        return found


_DECODER = msgspec.json.Decoder(Row)


def row_of(wire: bytes) -> Row:
    """The row for an announced event. Raises InvalidEvent for what cannot be one."""
    try:
        row = _DECODER.decode(wire)
        for raw in (bytes(row.event_data), bytes(row.metadata)):
            if raw not in _EMPTY:
                # What is left as it was is not looked at: it must be JSON that can be read again.
                orjson.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"not an event: {error}") from None
    return row

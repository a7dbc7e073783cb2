"""The event table as a file: CSV or a JSON event a line, newest first. No Flask."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson

from pipeline.event import Event, encode
from pipeline.store import Store, browsing
from pipeline.store.browsing import Wanted

MEDIA = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
COLUMNS = (
    "id timestamp event_type event_status category priority session_id message_id user_id attempt processing_time_ms "
    "queue_time_ms reason error_type user_message event_data metadata correlation_id trace_id span_id parent_span_id "
    "task_id source_system seq"
).split()
_PAGE_ROWS = 100
"""Events may have a mebibyte each: a page of these bounds the memory."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def pages(store: Store, wanted: Wanted, limit: int, look_at: int) -> Iterator[list[Event]]:
    """The events, at most `limit`. Raises StoreUnavailable. Each page is a transaction of its own."""
    before: int | None = None
    while limit > 0:
        found, before = browsing.newest_events(store, wanted, before, min(limit, _PAGE_ROWS), look_at)
        yield found
        if before is None:
            return
        limit -= len(found)


def lines(found: Iterator[list[Event]], form: str) -> Iterator[bytes]:
    """The file's text, a page at a time."""
    if form == "csv":
        yield _csv([COLUMNS])
    for page in found:
        if form == "csv":
            yield _csv([_cells(event) for event in page])
        else:
            yield b"".join(event.wire + b"\n" for event in page)


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cells(event: Event) -> list[str]:
    data = orjson.loads(event.wire)
    return [_cell(data[name]) for name in COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return encode(value).decode()
    text = str(value)
    # A spreadsheet would take it for a formula and run it.
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text

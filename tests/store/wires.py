"""Events as the bus's scripts write them, made by hand, and a short way to record them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import orjson

from pipeline.store import Store
from pipeline.store.moments import id_at, timestamp_text
from pipeline.store.recording import Recorded, record

NOW = id_at(datetime.datetime(2026, 11, 20, 12, 0, 30, tzinfo=datetime.UTC))
MINUTE = 60_000_000


def fields(event_id: int, **changes: Any) -> dict[str, Any]:
    """An event's fields, in the order in which the scripts write them."""
    made = {
        "id": event_id,
        "seq": 1,
        "timestamp": timestamp_text(event_id),
        "attempt": 1,
        "processing_time_ms": None,
        "queue_time_ms": None,
        "event_type": "agent_thinking",
        "category": "workflow",
        "priority": "normal",
        "session_id": "s-1",
        "message_id": "m-1",
        "user_id": None,
        "correlation_id": "m-1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "parent_span_id": None,
        "source_system": "spanfeed",
        "event_status": "started",
        "user_message": "🤔 AI is analyzing your question...",
        "event_data": None,
        "metadata": {},
        "reason": None,
        "error_type": None,
        "task_id": "task-1",
    }
    assert set(changes) <= set(made)
    return {**made, **changes}


def wire(event_id: int, **changes: Any) -> bytes:
    """An event's bytes."""
    return orjson.dumps(fields(event_id, **changes))


def error(event_id: int, message_id: str, reason: str | None = "error") -> bytes:
    """The event that ends a message."""
    return wire(event_id, event_type="error", event_status="failed", message_id=message_id, reason=reason)


def entries(wires: Iterable[bytes | None]) -> list[tuple[str, bytes | None]]:
    """Entries of the log, with ids of their own."""
    found = []
    for number, body in enumerate(wires):
        entry_id = f"{number}-9"
        if body is not None and body.startswith(b'{"id":'):
            entry_id = body[6:].partition(b",")[0].decode() + "-0"
        found.append((entry_id, body))
    return found


def stored(store: Store, *wires: bytes | None, said: str = "") -> Recorded:
    """Records the events; `said` is what had been said of a message that failed."""
    return record(store, entries(wires), lambda _: said)

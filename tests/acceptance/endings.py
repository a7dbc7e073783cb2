"""What must be true of every run, whatever was killed."""

from __future__ import annotations

import collections
from typing import Any


def check_endings(events: list[dict[str, Any]]) -> None:
    """Each span started once and ended once, nothing follows a message's error, and the sequence is dense."""
    started = collections.Counter(e["span_id"] for e in events if e["event_status"] == "started")
    ended = collections.Counter(
        e["span_id"] for e in events if e["event_status"] in {"completed", "failed"} and e["event_type"] != "error"
    )
    assert set(started.values()) == {1}
    assert ended == started
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    dead: set[str] = set()
    for event in events:
        assert event["message_id"] not in dead
        if event["event_type"] == "error":
            dead.add(event["message_id"])

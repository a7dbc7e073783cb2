"""What a receiver is sent: the event as every client reads it, in the envelope of Standard Webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

TEST_TYPE = "subscription.test"


def payload_of(wire: bytes, said: Mapping[str, Any], limit_bytes: int) -> bytes:
    """The body for an event of the log: `type`, `timestamp` and the event itself under `data`.

    An event above the limit goes without its `event_data` and `metadata`, and says so: `cut` is true.
    """
    head = {"type": said["event_type"], "timestamp": said["timestamp"]}
    if len(wire) <= limit_bytes:
        return orjson.dumps({**head, "data": orjson.Fragment(wire)})
    return orjson.dumps({**head, "data": {**said, "event_data": None, "metadata": None}, "cut": True})


def payload_of_test(subscription_id: str, timestamp: str) -> bytes:
    """The body of a delivery that is only to show that the receiver is reached."""
    data = {"subscription_id": subscription_id, "user_message": "This is a test delivery."}
    return orjson.dumps({"type": TEST_TYPE, "timestamp": timestamp, "data": {"event_type": TEST_TYPE, **data}})


def webhook_id(event_id: int) -> str:
    """The idempotency key: the same for all attempts. Test deliveries have negative numbers."""
    return f"evt_{event_id}" if event_id >= 0 else f"test_{-event_id}"

"""Following channels: one connection, changed and read by one thread each, with frames as they were announced."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any

import redis

from pipeline.bus import keys
from pipeline.bus.redis import asking


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """What was announced on a channel. `id` is 0 for what is not an event; `body` are the bytes for clients."""

    channel: str
    id: int
    event_type: str
    category: str
    priority: str
    status: str
    body: bytes

    @classmethod
    def parse(cls, channel: str, data: bytes) -> Frame:
        """The frame behind a line of id, type, category, priority and status."""
        head, _, body = data.partition(b"\n")
        event_id, event_type, category, priority, status = head.decode().split(" ")
        return cls(channel, int(event_id), event_type, category, priority, status, body)


class Subscription:
    """A connection that follows channels.

    `follow` and `leave` may be called from any thread; `read` from one. After BusUnavailable the subscription is
    dead: make a new one and read what was missed from the streams.
    """

    def __init__(self, client: redis.Redis, timeout_seconds: float) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds
        self._pubsub: Any = client.pubsub(ignore_subscribe_messages=False)  # type: ignore[no-untyped-call]
        self._lock = threading.Lock()
        """Keeps two writers' commands apart; the reader does not take it."""
        # A first channel opens the connection, so that the reader always has one; everybody wants to know the epoch.
        asking(lambda: self._pubsub.subscribe(keys.EPOCHS))

    def follow(self, channel: str) -> None:
        """Asks for a channel; `read` gives `channel` once Redis has confirmed it."""
        with self._lock:
            asking(lambda: self._pubsub.subscribe(channel))

    def leave(self, channel: str) -> None:
        """Gives a channel up."""
        with self._lock:
            asking(lambda: self._pubsub.unsubscribe(channel))

    def read(self, wait_seconds: float) -> Frame | str | None:
        """The next frame, or the name of a channel that is now followed, or None after `wait_seconds`."""
        deadline = time.monotonic() + wait_seconds
        while True:
            left = deadline - time.monotonic()
            message = asking(lambda wait=max(left, 0.0): self._pubsub.get_message(timeout=wait))  # type: ignore[misc]
            if message is None:
                if left <= 0:
                    return None
                continue
            channel = message["channel"].decode()
            if message["type"] == "message":
                return Frame.parse(channel, message["data"])
            if message["type"] == "subscribe":
                return str(channel)

    def close(self) -> None:
        """Ends the connection."""
        try:
            self._pubsub.close()
            self._client.close()
        except (redis.exceptions.RedisError, OSError):
            return

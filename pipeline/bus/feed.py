"""Following channels: one connection, changed and read by one thread each, with frames as they were announced."""

from __future__ import annotations

import threading
import time
from typing import Any

import redis

from pipeline.bus import keys
from pipeline.bus.redis import asking


class Frame:
    """What was announced on a channel. `id` is 0 for what is not an event; `body` are the bytes for clients.

    A relay makes one for each event and mostly asks for no more than these: the rest of the line of id, type,
    category, priority and status before the body is taken apart where it is asked for.
    """

    __slots__ = ("_head", "body", "channel", "id")

    def __init__(self, channel: str, data: bytes) -> None:
        self.channel = channel
        self._head, _, self.body = data.partition(b"\n")
        self.id = int(self._head.partition(b" ")[0])

    def __repr__(self) -> str:
        return f"Frame({self.channel!r}, {self._head!r})"

    @property
    def data(self) -> bytes:
        """The bytes as they were announced."""
        return self._head + b"\n" + self.body

    def _word(self, place: int) -> str:
        return self._head.split(b" ")[place].decode()

    @property
    def event_type(self) -> str:
        """The event's type, or the kind of what is not an event."""
        return self._word(1)

    @property
    def category(self) -> str:
        """The event's category."""
        return self._word(2)

    @property
    def priority(self) -> str:
        """The event's priority."""
        return self._word(3)

    @property
    def status(self) -> str:
        """The event's status, `none` without one."""
        return self._word(4)


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

    def follow(self, *channels: str) -> None:
        """Asks for channels, all from one moment on; `read` gives each one's name once Redis has confirmed it."""
        with self._lock:
            asking(lambda: self._pubsub.subscribe(*channels))

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
                return Frame(channel, message["data"])
            if message["type"] == "subscribe":
                return str(channel)

    def close(self) -> None:
        """Ends the connection."""
        try:
            self._pubsub.close()
            self._client.close()
        except (redis.exceptions.RedisError, OSError):
            return

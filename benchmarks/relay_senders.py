"""How each side's events are sent, by what its programs would use; `size_bytes` is what a client gets of each."""

from __future__ import annotations

import itertools
import socket
import time
import urllib.parse
import uuid

import redis

from benchmarks.bulk_append import BulkAppend
from benchmarks.relay_publisher import Send
from pipeline import settings as settings_table
from pipeline.bus import open_bus
from pipeline.bus.keys import session_channel
from pipeline.event import Category, Identity, Priority, State, Status

SESSION = "bench-{}"
ANNOUNCED_SESSION = "told-{}"
RAW_SESSION = "raw-{}"
RAW_CHANNEL = "raw:{}"
_FAR_AHEAD = 8_000_000_000_000_000
"""Beyond every id that the log has given."""
_PLAIN = '{{"at_us":{},"note":"{}"}}'
_READ_BYTES = 65_536
_PATIENCE_SECONDS = 20


def now_us() -> int:
    """The moment in microseconds: in nanoseconds it has as many digits as a card, of which one in ten is redacted."""
    return time.monotonic_ns() // 1_000


class _Events:
    """Events of one size for `Bus.append`."""

    def __init__(self, url: str, size_bytes: int) -> None:
        settings = settings_table.load({"REDIS_URL": url, "SPANFEED_EMIT_DEADLINE_MS": "60000"})
        self.bus, self.bulk = open_bus(settings), BulkAppend(settings)
        self._run, self._numbers, self._note = uuid.uuid4().hex[:8], itertools.count(1), ""
        event_id = self.append(self.bus, "calibration")
        wire = self.bus.session_events("calibration", 0, event_id, 1)[0].wire
        self._note = "x" * max(0, size_bytes - len(wire))

    def append(self, bus: object, session_id: str) -> int:
        """One event that is made now."""
        identity = Identity("burst", Category.WORKFLOW, Priority.NORMAL, session_id)
        state = State(Status.COMPLETED, "A burst.", {"at_us": now_us(), "note": self._note})
        key = f"{self._run}:{next(self._numbers)}"
        return bus.append(identity, state, key)  # type: ignore[attr-defined,no-any-return]


def append(url: str, size_bytes: int, session_id: str = SESSION) -> Send:
    """One event by `Bus.append`, several by the same script in one pipeline."""
    events = _Events(url, size_bytes)

    def send(sessions: list[int]) -> None:
        if len(sessions) == 1:
            events.append(events.bus, session_id.format(sessions[0]))
            return
        for session in sessions:
            events.append(events.bulk, session_id.format(session))
        events.bulk.send()

    return send


def _publishing(url: str, channel: str, head: str, size_bytes: int) -> Send:
    client = redis.Redis.from_url(url)
    numbers = itertools.count(_FAR_AHEAD)
    note = "x" * (size_bytes - len(_PLAIN.format(now_us(), "")))

    def send(sessions: list[int]) -> None:
        pipe = client.pipeline(transaction=False)
        for session in sessions:
            text = head.format(next(numbers)) + _PLAIN.format(now_us(), note)
            pipe.publish(channel.replace("{}", str(session)), text)
        pipe.execute()

    return send


def announce(url: str, size_bytes: int) -> Send:
    """Only what the append script announces: nothing is stored, numbered or held by the emitter's key."""
    return _publishing(url, session_channel(ANNOUNCED_SESSION), "{} burst workflow normal completed\n", size_bytes)


def naive(url: str, size_bytes: int) -> Send:
    """PUBLISH to the naive app."""
    return _publishing(url, "naive:{}", "", size_bytes)


def nchan(url: str, size_bytes: int) -> Send:
    """POSTs to nchan's publisher, several at once in one go on a connection that stays."""
    address = urllib.parse.urlsplit(url)
    connection = socket.create_connection((address.hostname or "", address.port or 80), _PATIENCE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    note = "x" * (size_bytes - len(_PLAIN.format(now_us(), "")))

    def post(session: int) -> bytes:
        text = _PLAIN.format(now_us(), note)
        return f"POST /pub/s{session} HTTP/1.1\r\nHost: nchan\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

    def send(sessions: list[int]) -> None:
        connection.sendall(b"".join(post(session) for session in sessions))
        answers = b""
        # The rest of the last answer may come with the next ones.
        while answers.count(b"HTTP/1.1 20") < len(sessions):
            data = connection.recv(_READ_BYTES)
            if not data:
                raise ConnectionError("nchan has closed the publisher's connection")
            answers += data

    return send


def raw_append(url: str, size_bytes: int) -> Send:
    """As `append`, to sessions that only redis-py reads."""
    return append(url, size_bytes, RAW_SESSION)


def raw_publish(url: str, size_bytes: int) -> Send:
    """A bare PUBLISH to channels that only redis-py reads."""
    return _publishing(url, RAW_CHANNEL, "", size_bytes)


SENDERS = {
    "append": append,
    "announce": announce,
    "naive": naive,
    "nchan": nchan,
    "raw_append": raw_append,
    "raw_publish": raw_publish,
}

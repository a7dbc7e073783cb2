"""One client of a relay: its socket, its reader, and what waits until it reads again."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

from pipeline.bus import Frame
from web.feed.reader import Reader

_USER_TIMEOUT_MS = 30_000
"""Sent data that is not acknowledged for so long: nobody is there any more, though nothing was said."""


class Topic:
    """A session's channel and who reads it here."""

    __slots__ = ("away", "channel", "confirmed", "members")

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.members: dict[Client, None] = {}
        self.confirmed = False
        """Whether Redis sends what is announced on it."""
        self.away = False
        """Whether Redis was lost since."""


class Client:
    """Used by the loop alone."""

    __slots__ = (
        "behind",
        "busy",
        "descriptor",
        "gone",
        "mask",
        "read_ahead",
        "reader",
        "sock",
        "topic",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self, sock: socket.socket, reader: Reader, topic: Topic, read_ahead: bytes) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        self.sock = sock
        self.descriptor = sock.fileno()
        self.reader = reader
        self.topic = topic
        self.read_ahead = read_ahead
        """What it has said before it was greeted."""
        self.waiting: list[Frame] = []
        self.waiting_bytes = 0
        self.behind = False
        """Whether something was missed."""
        self.busy = False
        """Whether an errand is under way for it."""
        self.mask = 0
        """What the loop waits for with its socket."""
        self.gone = False

    @property
    def is_direct(self) -> bool:
        """Whether frames may be sent to it as they are."""
        return self.reader.is_direct and not (self.busy or self.behind or self.waiting)

    def keep(self, found: Sequence[Frame], limit_bytes: int) -> None:
        """Keeps frames until they can be told; without room all are dropped, to be read from the past."""
        if self.behind:
            return
        self.waiting_bytes += sum(len(frame.body) for frame in found)
        if self.waiting_bytes > limit_bytes:
            self.fall_behind()
        else:
            self.waiting += found

    def fall_behind(self) -> None:
        """Says that frames were missed."""
        self.waiting, self.waiting_bytes, self.behind = [], 0, True

    def take(self) -> tuple[list[Frame], bool]:
        """All that waits, and whether something was missed. From now on frames are kept again."""
        found, behind = self.waiting, self.behind
        self.waiting, self.waiting_bytes, self.behind = [], 0, False
        return found, behind

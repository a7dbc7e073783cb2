"""One client of the feed, served by a thread of its own that never blocks in a write.

This is the way without a relay. Frames out are bounded: while the client does not read, little more than
`OUT_LIMIT_BYTES` wait with the reader and the mailbox's limit there; beyond that the client is behind and catches up
when it reads again, or is closed when it makes no progress.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import time

from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from pipeline.bus.keys import session_channel
from pipeline.errors import BusUnavailable, StoreUnavailable
from pipeline.settings import Settings
from web.closing import closing
from web.feed import frames, texts
from web.feed.listener import Listener, Mailbox
from web.feed.past import Past
from web.feed.reader import Reader, Terms
from web.feed.wish import Wish

logger = logging.getLogger(__name__)
_RECEIVE_BYTES = 4_096
_TICK_SECONDS = 1.0


class Connection:
    """The life of one feed, from the handshake's end to the socket's."""

    def __init__(
        self, sock: socket.socket, wish: Wish, settings: Settings, past: Past, read_ahead: bytes = b""
    ) -> None:
        self._socket = sock
        self._wish = wish
        self._past = past
        self._read_ahead = read_ahead
        self._reader = Reader(wish, Terms.of(settings), time.monotonic())
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self.mailbox = Mailbox(settings.feed_queue_limit_bytes, self._wake)

    def _wake(self) -> None:
        # A full pipe has woken the reader already; a closed one has no reader any more.
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_out, b"x")

    def run(self, listener: Listener) -> None:
        """Serves the client until it goes, is too slow, or the server ends."""
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with (
                closing.telling(self._wake),
                listener.following(session_channel(self._wish.session_id), self.mailbox),
            ):
                self._reader.greet(self._past.beginning(self._wish.session_id), time.monotonic())
                self._serve()
        except BusUnavailable:
            self._reader.end(frames.RESTART, texts.UNANSWERED)
            with contextlib.suppress(OSError):
                self._socket.send(self._reader.out)
        except (OSError, LocalProtocolError, RemoteProtocolError) as error:
            logger.debug("a feed ended: %s", type(error).__name__)
        finally:
            os.close(self._wake_in)
            os.close(self._wake_out)

    def _serve(self) -> None:
        reader = self._reader
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        poller.register(self._wake_in, select.POLLIN)
        reader.receive(self._read_ahead, time.monotonic())
        while not reader.closing or reader.out:
            self._fill()
            if closing.begun:
                reader.end(frames.RESTART, texts.restart_reason())
            now = time.monotonic()
            if reader.is_stuck(now):
                raise TimeoutError
            if now >= reader.keepalive_at:
                reader.keep_alive(now)
            poller.modify(self._socket, select.POLLIN | (select.POLLOUT if reader.out else 0))
            for descriptor, ready in poller.poll(self._patience(now) * 1000):
                if descriptor == self._wake_in:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_in, 65_536)
                    continue
                if ready & select.POLLOUT:
                    self._send()
                if ready & ~select.POLLOUT and not self._receive():
                    return

    def _patience(self, now: float) -> float:
        ends = [now + _TICK_SECONDS, self._reader.keepalive_at]
        if self._reader.catch_up_at is not None and self._reader.has_room:
            ends.append(self._reader.catch_up_at)
        return max(0.0, min(ends) - now)

    def _fill(self) -> None:
        """Takes what waits, as long as the client keeps up."""
        reader = self._reader
        if not reader.has_room:
            return
        now = time.monotonic()
        reader.tell_bus(self.mailbox.bus_away, now)
        if reader.catch_up_at is not None:
            if now >= reader.catch_up_at:
                self._catch_up(now)
            return
        waiting, behind = self.mailbox.take()
        for frame in waiting:
            reader.give(frame, now)
        if behind:
            reader.fall_behind(now)

    def _catch_up(self, now: float) -> None:
        try:
            page = self._past.page(self._wish, self._reader.last_id, self._reader.epoch)
        except (BusUnavailable, StoreUnavailable):
            self._reader.try_again(now)
        else:
            self._reader.turn(page, time.monotonic())

    def _send(self) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            self._reader.sent(self._socket.send(self._reader.out), time.monotonic())

    def _receive(self) -> bool:
        """Reads what the client sent; False when it is gone."""
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return True
        if data:
            self._reader.receive(data, time.monotonic())
        return bool(data)

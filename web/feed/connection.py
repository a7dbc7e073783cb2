"""One client of the feed, served by a thread of its own that never blocks in a write.

This is the way without a relay. Frames out are bounded: while the client does not read, little more than
`OUT_LIMIT_BYTES` wait with the reader and the mailbox's limit there; beyond that the client is behind and catches up
when it reads again, or is closed when it makes no progress.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import select
import socket
import time

from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from pipeline.errors import BusUnavailable, StoreUnavailable
from pipeline.settings import Settings
from web.access import Rights
from web.closing import closing
from web.feed import client_socket, texts
from web.feed.admission import Admission
from web.feed.followed import Followed
from web.feed.key_watch import KeyWatch, Watched
from web.feed.listener import Listener, Mailbox
from web.feed.past import Past
from web.feed.presence import presence
from web.feed.reader import Reader
from web.feed.seats import Seats
from web.feed.sessions import Sessions
from web.feed.tally import tally
from web.feed.terms import Terms
from web.feed.wish import Wish

logger = logging.getLogger(__name__)
_RECEIVE_BYTES = 4_096
_TICK_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Rooms:
    """What a connection needs of its process."""

    settings: Settings
    past: Past
    admission: Admission
    seats: Seats
    listener: Listener
    keys: KeyWatch


class Connection:
    """The life of one feed, from the handshake's end to the socket's."""

    def __init__(self, sock: socket.socket, wish: Wish, rights: Rights, rooms: Rooms, read_ahead: bytes = b"") -> None:
        self._socket = sock
        self._past = rooms.past
        self._keys = rooms.keys
        self._read_ahead = read_ahead
        self._terms = Terms.of(rooms.settings)
        self._reader = Reader(wish, rights, self._terms, time.monotonic())
        self._watched = Watched(self._wake)
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._sessions = Sessions(
            rooms.settings, self._reader, rooms.past, rooms.admission, rooms.seats, rooms.listener, self._wake
        )

    def _wake(self) -> None:
        # A full pipe has woken the reader already; a closed one has no reader any more.
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_out, b"x")

    def run(self) -> None:
        """Serves the client until it goes, is too slow, or the server ends."""
        client_socket.prepare(self._socket)
        presence.come(self._reader.first_wish)
        try:
            watching = self._keys.watching(self._wake)
            with closing.telling(self._wake), contextlib.closing(self._sessions), watching as self._watched:
                self._sessions.open(self._reader.followed[0], time.monotonic())
                self._serve()
        except BusUnavailable:
            self._reader.end_for_now(texts.UNANSWERED)
            with contextlib.suppress(OSError):
                self._socket.send(self._reader.out)
        except (OSError, LocalProtocolError, RemoteProtocolError) as error:
            logger.debug("a feed ended: %s", type(error).__name__)
        finally:
            presence.go(self._reader.first_wish)
            os.close(self._wake_in)
            os.close(self._wake_out)

    def _serve(self) -> None:
        reader = self._reader
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        poller.register(self._wake_in, select.POLLIN)
        reader.receive(self._read_ahead, time.monotonic())
        while not reader.closing or reader.out:
            self._sessions.see_to_asked(time.monotonic())
            self._fill()
            if closing.begun:
                reader.end_for_now(texts.RESTARTS)
            self._look_at_the_clock()
            poller.modify(self._socket, select.POLLIN | (select.POLLOUT if reader.out else 0))
            for descriptor, ready in poller.poll(self._patience(time.monotonic()) * 1000):
                if descriptor == self._wake_in:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_in, 65_536)
                    continue
                if ready & select.POLLOUT:
                    self._send()
                if ready & ~select.POLLOUT and not self._receive():
                    return

    def _look_at_the_clock(self) -> None:
        """Does what is due. Raises TimeoutError when nobody is there any more, or nobody who reads."""
        reader, now = self._reader, time.monotonic()
        self._terms.tally.say(now)
        self._sessions.end_expired(now)
        self._sessions.end_revoked(self._watched.ended, now)
        self._watched.key_ids = reader.key_ids
        reader.look_at_the_clock(now)
        if reader.is_stuck(now):
            # Behind what waits, so that no frame is torn; the socket is full, so mostly it will not go out.
            reader.give_up()
            self._send()
            raise TimeoutError
        if reader.lost:
            raise TimeoutError

    def _patience(self, now: float) -> float:
        ends = [now + _TICK_SECONDS, self._reader.keepalive_at]
        if self._reader.has_room:
            ends += [one.catch_up_at for one, _ in self._sessions if one.catch_up_at is not None]
        return max(0.0, min(ends) - now)

    def _fill(self) -> None:
        """Takes what waits, as long as the client keeps up."""
        reader = self._reader
        if reader.has_room and reader.followed:
            reader.tell_bus(self._sessions.bus_away, time.monotonic())
        for followed, mailbox in self._sessions:
            if reader.has_room:
                self._fill_from(followed, mailbox, time.monotonic())

    def _fill_from(self, followed: Followed, mailbox: Mailbox, now: float) -> None:
        if followed.catch_up_at is not None:
            if now >= followed.catch_up_at:
                self._catch_up(followed, now)
            return
        waiting, behind = mailbox.take()
        for frame in waiting:
            told = followed.give(frame)
            if told:
                tally.told(1, len(told), frame.id, 1)
                self._reader.queue(told, now)
        if behind:
            followed.fall_behind(now)

    def _catch_up(self, followed: Followed, now: float) -> None:
        try:
            page = self._past.page(followed.wish, followed.last_id, followed.epoch)
        except (BusUnavailable, StoreUnavailable):
            followed.try_again(now)
        else:
            now = time.monotonic()
            told = followed.turn(page, now)
            tally.told(len(page.events), len(told), 0, 1)
            self._reader.queue(told, now)

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

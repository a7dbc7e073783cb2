"""Bringing one client what waits for it, as far as it reads: frames, pages of the past, last words.

Who is up to date gets what is announced in one write. Who is not reads the past by errands, page by page. Everything
here is done by the loop's thread and returns at once.
"""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable
from typing import TypeVar

from web.feed import frames, texts
from web.feed.past import Beginning, Page, Past
from web.relay.client import Client
from web.relay.deadlines import Deadlines
from web.relay.errands import Errands

logger = logging.getLogger(__name__)
_CONFIRM_SECONDS = 2.0
_ERRAND_SECONDS = 30.0
_AGAIN_SECONDS = 0.5
_LINGER_SECONDS = 2.0
R = TypeVar("R")


class Postman:
    """Serves clients. `leave` takes one out of its topic, `drop` ends its connection, `hear` takes what it said."""

    def __init__(
        self,
        past: Past,
        errands: Errands,
        epoll: select.epoll,
        leave: Callable[[Client], None],
        drop: Callable[[Client], None],
        hear: Callable[[Client, bytes], None],
    ) -> None:
        self._past = past
        self._errands = errands
        self._epoll = epoll
        self._leave = leave
        self._drop = drop
        self._hear = hear
        self._owing: dict[Client, None] = {}
        """Who has not taken all that was to be sent."""
        self._unconfirmed: Deadlines[Client] = Deadlines(_CONFIRM_SECONDS)
        self._errand_ends: Deadlines[Client] = Deadlines(_ERRAND_SECONDS)
        self._again: Deadlines[Client] = Deadlines(_AGAIN_SECONDS)
        self._lingering: Deadlines[Client] = Deadlines(_LINGER_SECONDS)

    def begin(self, client: Client) -> None:
        """Takes a new client on."""
        self._unconfirmed.add(client, time.monotonic())

    def forget(self, client: Client) -> None:
        """Lets go of a client whose connection has ended."""
        for members in (self._unconfirmed, self._errand_ends, self._again, self._lingering):
            members.discard(client)
        self._owing.pop(client, None)

    def next_deadline(self, otherwise: float) -> float:
        """When the clock is to be looked at again."""
        for deadlines in (self._unconfirmed, self._again, self._lingering):
            otherwise = deadlines.next(otherwise)
        return otherwise

    def look_at_the_clock(self, now: float) -> None:
        """Does what is due."""
        for client in (*self._unconfirmed.take_due(now), *self._errand_ends.take_due(now)):
            client.reader.end(frames.RESTART, texts.UNANSWERED)
            self.flush(client)
        for client in self._again.take_due(now):
            self.look_after(client)
        for client in self._lingering.take_due(now):
            self._drop(client)

    def look_after(self, client: Client) -> None:
        """Gives a client what waits for it, as far as it reads it."""
        try:
            self.flush(client)
            while not client.gone and self._fill(client):
                self.flush(client)
            self.flush(client)
        except Exception:
            logger.exception("a client could not be looked after")
            self._drop(client)

    def send(self, client: Client, data: bytes, now: float) -> None:
        """Sends to a client that owes nothing."""
        try:
            count = client.sock.send(data)
        except (BlockingIOError, InterruptedError):
            count = 0
        except OSError:
            self._drop(client)
            return
        if count < len(data):
            client.reader.queue(data[count:], now)
            self._wait(client)

    def _fill(self, client: Client) -> bool:
        """Takes what waits, as long as the client keeps up; True when there may be more."""
        reader, now = client.reader, time.monotonic()
        if client.busy or not reader.has_room:
            return False
        if not reader.greeted:
            if client.topic.confirmed:
                session_id = reader.wish.session_id
                self._ask(client, lambda: self._past.beginning(session_id), self._greet)
            return False
        reader.tell_bus(client.topic.away, now)
        if reader.catch_up_at is not None:
            if now < reader.catch_up_at:
                self._again.add(client, now)
            else:
                wish, last_id, epoch = reader.wish, reader.last_id, reader.epoch
                self._ask(client, lambda: self._past.page(wish, last_id, epoch), self._turn)
            return False
        waiting, behind = client.take()
        for frame in waiting:
            reader.give(frame, now)
        if behind:
            reader.fall_behind(now)
        return bool(waiting) or behind

    # The past

    def _ask(self, client: Client, call: Callable[[], R], done: Callable[[Client, R | Exception], None]) -> None:
        client.busy = True
        self._unconfirmed.discard(client)
        self._errand_ends.add(client, time.monotonic())

        def back(result: R | Exception) -> None:
            client.busy = False
            self._errand_ends.discard(client)
            if client.gone:
                return
            try:
                done(client, result)
            except Exception:
                logger.exception("what was read for a client could not be told")
                self._drop(client)
            self.look_after(client)

        self._errands.ask(call, back)

    def _greet(self, client: Client, result: Beginning | Exception) -> None:
        if isinstance(result, Exception):
            client.reader.end(frames.RESTART, texts.UNANSWERED)
        elif not client.reader.closing:
            client.reader.greet(result, time.monotonic())
            said, client.read_ahead = client.read_ahead, b""
            if said:
                self._hear(client, said)

    def _turn(self, client: Client, result: Page | Exception) -> None:
        if isinstance(result, Exception):
            client.reader.try_again(time.monotonic())
        elif not client.reader.closing:
            client.reader.turn(result, time.monotonic())

    # Sockets and the clock

    def flush(self, client: Client) -> None:
        """Sends what is to be sent, as far as the socket takes it now."""
        reader = client.reader
        if client.gone:
            return
        if reader.out:
            try:
                reader.sent(client.sock.send(reader.out), time.monotonic())
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self._drop(client)
                return
        self._wait(client)
        if reader.closing and not reader.out:
            self._linger(client)

    def _wait(self, client: Client) -> None:
        """Has the loop wait for what the client's socket can do next."""
        reader = client.reader
        mask = select.EPOLLIN if reader.greeted or reader.closing else 0
        if reader.out:
            mask |= select.EPOLLOUT
            self._owing[client] = None
        else:
            self._owing.pop(client, None)
        if mask != client.mask:
            client.mask = mask
            self._epoll.modify(client.descriptor, mask)

    def _linger(self, client: Client) -> None:
        """Ends a connection in good order: if it were just closed, our last words might be lost with unread bytes."""
        if client not in client.topic.members:
            return
        self._leave(client)
        try:
            client.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(client)
            return
        self._lingering.add(client, time.monotonic())

    def drop_the_stuck(self, now: float) -> None:
        """Ends the connections of those who have not read for too long."""
        for client in [one for one in self._owing if one.reader.is_stuck(now)]:
            self._drop(client)

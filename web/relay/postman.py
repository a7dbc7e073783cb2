"""Bringing one client what waits for it, as far as it reads: frames, pages of the past, last words.

Who is up to date gets what is announced in one write. Who is not reads the past by errands, page by page, for each of
its sessions. Everything here is done by the loop's thread and returns at once.
"""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable
from typing import TypeVar

from web.feed import texts
from web.feed.past import Beginning, Page, Past
from web.feed.tally import tally
from web.relay.client import Client, Following
from web.relay.deadlines import Deadlines
from web.relay.errands import Errands

logger = logging.getLogger(__name__)
_CONFIRM_SECONDS = 2.0
_ERRAND_SECONDS = 30.0
_AGAIN_SECONDS = 0.5
_LINGER_SECONDS = 2.0
R = TypeVar("R")


class Postman:
    """Serves clients.

    `leave` has one follow a session no more, `give_up` says that a further session cannot be had now, `drop` ends a
    connection, `hear` takes what a client said.
    """

    def __init__(
        self,
        past: Past,
        errands: Errands,
        epoll: select.epoll,
        leave: Callable[[Following], None],
        give_up: Callable[[Following], None],
        drop: Callable[[Client], None],
        hear: Callable[[Client, bytes], None],
    ) -> None:
        self._past = past
        self._errands = errands
        self._epoll = epoll
        self._leave = leave
        self._give_up = give_up
        self._drop = drop
        self._hear = hear
        self._owing: dict[Client, None] = {}
        """Who has not taken all that was to be sent."""
        self._unconfirmed: Deadlines[Following] = Deadlines(_CONFIRM_SECONDS)
        self._errand_ends: Deadlines[Following] = Deadlines(_ERRAND_SECONDS)
        self._again: Deadlines[Following] = Deadlines(_AGAIN_SECONDS)
        self._lingering: Deadlines[Client] = Deadlines(_LINGER_SECONDS)

    def begin(self, following: Following) -> None:
        """Takes on a session that a client follows from now on."""
        self._unconfirmed.add(following, time.monotonic())

    def forget_following(self, following: Following) -> None:
        """Lets go of a session that a client has left."""
        for members in (self._unconfirmed, self._errand_ends, self._again):
            members.discard(following)

    def forget(self, client: Client) -> None:
        """Lets go of a client whose connection has ended."""
        self._lingering.discard(client)
        self._owing.pop(client, None)

    def next_deadline(self, otherwise: float) -> float:
        """When the clock is to be looked at again."""
        for deadlines in (self._unconfirmed, self._again):
            otherwise = deadlines.next(otherwise)
        return self._lingering.next(otherwise)

    def look_at_the_clock(self, now: float) -> None:
        """Does what is due."""
        for following in (*self._unconfirmed.take_due(now), *self._errand_ends.take_due(now)):
            if following.followed.further and not following.followed.greeted:
                self._give_up(following)
                continue
            following.client.reader.end_for_now(texts.UNANSWERED)
            self.flush(following.client)
        for following in self._again.take_due(now):
            self.look_after(following.client)
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
        reader, more = client.reader, False
        client.unfilled = not (reader.has_room or reader.closing)
        if reader.has_room and client.followings:
            reader.tell_bus(client.bus_away, time.monotonic())
        for following in tuple(client.followings):
            if reader.has_room and not following.busy:
                more |= self._fill_from(client, following)
        if len(client.followings) > 1:
            # Next time another session is first: the room that there is must not always be the same one's.
            client.followings.append(client.followings.pop(0))
        return more

    def _fill_from(self, client: Client, following: Following) -> bool:
        """Takes what waits of one session; True when there may be more."""
        reader, followed, now = client.reader, following.followed, time.monotonic()
        if not following.is_there:
            return False
        if not followed.greeted:
            if following.is_confirmed:
                greeted = followed.wish
                self._ask(following, lambda: self._past.beginning(greeted), self._greet)
            return False
        if followed.catch_up_at is not None:
            if now < followed.catch_up_at:
                self._again.add(following, now)
            else:
                wish, last_id, epoch = followed.wish, followed.last_id, followed.epoch
                self._ask(following, lambda: self._past.page(wish, last_id, epoch), self._turn)
            return False
        waiting, behind = following.take()
        size = given = newest = 0
        for frame in waiting:
            told = followed.give(frame)
            if told:
                given, size, newest = given + 1, size + len(told), frame.id or newest
                reader.queue(told, now)
        if given:
            tally.loop.told(given, size, newest, 1)
            tally.loop.look_at_the_clock()
        if behind:
            followed.fall_behind(now)
        return bool(waiting) or behind

    # The past

    def _ask(
        self, following: Following, call: Callable[[], R], done: Callable[[Following, R | Exception], None]
    ) -> None:
        following.busy = True
        self._unconfirmed.discard(following)
        self._errand_ends.add(following, time.monotonic())

        def back(result: R | Exception) -> None:
            following.busy = False
            self._errand_ends.discard(following)
            client = following.client
            if client.gone or following.gone:
                return
            try:
                done(following, result)
            except Exception:
                logger.exception("what was read for a client could not be told")
                self._drop(client)
            self.look_after(client)

        self._errands.ask(call, back)

    def _greet(self, following: Following, result: Beginning | Exception) -> None:
        client = following.client
        if isinstance(result, Exception):
            if following.followed.further:
                self._give_up(following)
            else:
                client.reader.end_for_now(texts.UNANSWERED)
        elif not client.reader.closing:
            client.reader.greet(following.followed, result, time.monotonic())
            said, client.read_ahead = client.read_ahead, b""
            if said:
                self._hear(client, said)

    def _turn(self, following: Following, result: Page | Exception) -> None:
        reader, now = following.client.reader, time.monotonic()
        if isinstance(result, Exception):
            following.followed.try_again(now)
        elif not reader.closing:
            told = following.followed.turn(result, now)
            tally.loop.told(len(result.events), len(told), 0, 1)
            reader.queue(told, now)

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
        mask = select.EPOLLIN if reader.begun or reader.closing else 0
        if reader.out or client.unfilled:
            mask |= select.EPOLLOUT
        if reader.out:
            self._owing[client] = None
        else:
            self._owing.pop(client, None)
        if mask != client.mask:
            client.mask = mask
            self._epoll.modify(client.descriptor, mask)

    def _linger(self, client: Client) -> None:
        """Ends a connection in good order: if it were just closed, our last words might be lost with unread bytes."""
        if client.lingering:
            return
        client.lingering = True
        for following in tuple(client.followings):
            self._leave(following)
        try:
            client.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(client)
            return
        self._lingering.add(client, time.monotonic())

    def drop_the_stuck(self, now: float) -> None:
        """Ends the connections of those who have not read for too long."""
        for client in [one for one in self._owing if one.reader.is_stuck(now)]:
            # Behind what waits, so that no frame is torn; the socket is full, so mostly it will not go out.
            client.reader.give_up()
            self.flush(client)
            if client.reader.out and not client.gone:
                self._drop(client)

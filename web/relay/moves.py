"""Clients that go from one relay to another: how one leaves a relay's loop, and how one comes into it."""

from __future__ import annotations

import dataclasses
import itertools
import socket
import time
from collections.abc import Callable, Iterable

from web.feed.reader import Reader
from web.feed.requests import Subscribe
from web.feed.seats import Seats
from web.feed.terms import Terms
from web.relay.client import Client, Following
from web.relay.kept import Kept
from web.relay.moving import Luggage, Waiting
from web.relay.topics import Topics


@dataclasses.dataclass(frozen=True, slots=True)
class Hooks:
    """What the crowd does: `enter` has the loop look after a client, `forget` no more, its socket left open.

    `begin` takes on a session that was not greeted, `ask` finds out whether a session may be followed.
    """

    enter: Callable[[Client], None]
    forget: Callable[[Client], None]
    begin: Callable[[Following], None]
    ask: Callable[[Client, Subscribe], None]


class Moves:
    """Used by the loop alone.

    While clients are on their way, the channels that they read are followed, and what is announced is kept: on the old
    relay in case that they come back, on the new one until they come. So what was announced meanwhile is told in its
    place, and the past need not be read for those who had missed nothing.
    """

    def __init__(self, terms: Terms, topics: Topics, seats: Seats, limit_bytes: int, hooks: Hooks) -> None:
        self._terms = terms
        self._topics = topics
        self._seats = seats
        self._limit_bytes = limit_bytes
        self._hooks = hooks

    @property
    def channels(self) -> list[str]:
        """What is read here."""
        return list(self._topics.channels)

    @property
    def awaits_redis(self) -> bool:
        """Whether Redis has yet to confirm a channel that is kept."""
        return self._topics.awaits_kept

    def expect(self, channels: Iterable[str]) -> None:
        """Keeps what is announced on these channels from now on."""
        for channel in channels:
            self._topics.keep(channel, Kept(self._limit_bytes))

    def expect_no_more(self) -> None:
        """Nobody is on the way any more."""
        self._topics.keep_no_more()

    def out(self, client: Client, sure: bool) -> Luggage:
        """Takes a client out; its socket stays open. Not `sure`: Redis may have announced what was not read here."""
        reader = client.reader
        waiting: list[Waiting] = []
        for followed in reader.followed:
            following = client.following(followed.wish.session_id)
            if following is None:
                waiting.append(Waiting.of((), behind=True))
                continue
            for topic in following.topics:
                self._topics.keep(topic.channel, Kept(self._limit_bytes))
            behind = following.behind or not sure or not following.is_confirmed
            waiting.append(Waiting.of(following.waiting, behind))
        luggage = Luggage(client.claim, reader.state, tuple(waiting), client.asking, client.read_ahead)
        self._hooks.forget(client)
        return luggage

    def into(self, sock: socket.socket, luggage: Luggage) -> None:
        """Takes a client in, which has its place already. Raises OSError when the system has no room for it."""
        now = time.monotonic()
        reader = Reader.of(luggage.reader, self._terms, now)
        client = Client(sock, reader, luggage.claim, luggage.read_ahead)
        self._hooks.enter(client)
        self._seats.move_in(luggage.claim)
        for followed, waiting in zip(reader.followed, luggage.waiting, strict=True):
            if followed.further:
                self._seats.join_anyway(followed.wish.session_id)
            following = self._topics.join(client, followed)
            if followed.greeted:
                self._resume(following, waiting)
            else:
                self._hooks.begin(following)
        for asked in luggage.asking:
            self._hooks.ask(client, asked)

    def _resume(self, following: Following, waiting: Waiting) -> None:
        last_id = following.followed.last_id
        if following.client.reader.bus_away:
            for topic in following.topics:
                # It was told so already, and is told when Redis is back.
                topic.away |= not topic.confirmed
        following.keep(waiting.frames, self._limit_bytes)
        kept = [topic.kept for topic in following.topics]
        if waiting.behind or not following.is_confirmed or not all(one is not None and one.whole for one in kept):
            following.fall_behind()
            return
        told = max((frame.id for frame in waiting.frames), default=0)
        missed = [one.behind(max(last_id, told)) for one in kept if one is not None]
        # Where there are several, all that is announced on them are events, and their ids are their order.
        found = missed[0] if len(missed) == 1 else sorted(itertools.chain(*missed), key=lambda frame: frame.id)
        following.keep(found, self._limit_bytes)

"""Bringing one client what waits for it, with a socket that takes what the test lets it take."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from pipeline import settings as settings_table
from pipeline.event import Event
from web.access import Rights
from web.feed.past import Beginning, Page, Past
from web.feed.reader import OUT_LIMIT_BYTES, Reader
from web.feed.seats import Claim
from web.feed.terms import Terms
from web.feed.wish import EVERYTHING, Wish
from web.relay.client import Client
from web.relay.errands import Errands
from web.relay.postman import Postman
from web.relay.topics import Topics

ALL = 1 << 30


class Sipping(socket.socket):
    """A connection whose peer takes so many bytes at each turn, then nothing."""

    def __init__(self, *turns: int) -> None:
        mine, self._peer = socket.socketpair()
        super().__init__(fileno=mine.detach())
        self.turns = list(turns)

    def send(self, data: Any, flags: int = 0) -> int:
        """Takes what this turn allows."""
        if not self.turns:
            raise BlockingIOError
        return min(len(data), self.turns.pop(0))


class Asked:
    """Errands that are done when the test says so, and a past of one page after the other."""

    def __init__(self, pages: list[Page]) -> None:
        self.waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self._pages = pages

    def ask(self, call: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Keeps an errand."""
        self.waiting.append((call, done))

    def page(self, wish: Wish, last_id: int, epoch: str) -> Page:
        """The next page."""
        return self._pages.pop(0)

    def do(self) -> None:
        """Does the errand that waits."""
        [(call, done)] = self.waiting
        self.waiting.clear()
        done(call())


def _page(event_id: int, more: bool) -> Page:
    return Page(0, [cast(Event, _Large(event_id))], event_id, more)


class _Large:
    """As much of an event as is told, and more than a client is given room for."""

    def __init__(self, event_id: int) -> None:
        self.id = event_id
        self.wire = b"x" * (OUT_LIMIT_BYTES + 1_000)


class Bench:
    """A postman, and a client that has fallen behind."""

    def __init__(self, *turns: int) -> None:
        self.epoll = select.epoll()
        self.asked = Asked([_page(1, more=True), _page(2, more=False)])
        past, errands = cast(Past, self.asked), cast(Errands, self.asked)

        def nobody(*_: object) -> None:
            raise AssertionError("nobody is to be dropped here")

        self.postman = Postman(past, errands, self.epoll, nobody, nobody, nobody, nobody)
        terms = Terms.of(settings_table.load({"SPANFEED_SECRET_KEY": "x" * 32}))
        self.socket = Sipping(*turns)
        reader = Reader(Wish("s", 0, None, EVERYTHING), Rights(), terms, 0.0)
        self.client = Client(self.socket, reader, Claim("s", "", "", "ws"), b"")
        self.epoll.register(self.socket.fileno(), 0)
        following = Topics(lambda *_: None).join(self.client, reader.followed[0])
        for topic in following.topics:
            topic.confirmed = True
        reader.greet(reader.followed[0], Beginning("1", 2, []), 0.0)

    def comes_back(self) -> bool:
        """Whether the loop is told at once that the client's socket can be written."""
        return any(ready & select.EPOLLOUT for _, ready in self.epoll.poll(0))

    def close(self) -> None:
        """Ends it."""
        self.epoll.close()
        self.socket.close()
        self.socket._peer.close()


@pytest.fixture
def opened() -> Iterator[Callable[..., Bench]]:
    """Makes benches."""
    made: list[Bench] = []

    def give(*turns: int) -> Bench:
        made.append(Bench(*turns))
        return made[-1]

    yield give
    for bench in made:
        bench.close()


def test_who_takes_all_behind_a_look_without_room_is_looked_after_again(opened: Callable[..., Bench]) -> None:
    """Without this a slow reader that catches up at the wrong moment would be told no event more, only keepalives."""
    # All of the greeting; a sip of the first page; the rest of it when nobody expects it any more.
    bench = opened(ALL, 100, ALL)
    bench.postman.look_after(bench.client)
    bench.asked.do()
    assert not bench.client.reader.out
    assert not bench.asked.waiting
    assert bench.comes_back()
    bench.postman.look_after(bench.client)
    assert len(bench.asked.waiting) == 1
    # Now it has what it asked for, and the loop is not woken for nothing.
    bench.socket.turns = [ALL] * 5
    bench.asked.do()
    assert not bench.comes_back()


def test_who_takes_all_with_a_keepalive_is_looked_after_again(opened: Callable[..., Bench]) -> None:
    """Without this the sign of life that makes room would be the last thing that a slow reader gets."""
    bench = opened(ALL, 100)
    bench.postman.look_after(bench.client)
    bench.asked.do()
    assert bench.client.reader.out
    bench.socket.turns = [ALL]
    bench.postman.flush(bench.client)
    assert not bench.client.reader.out
    assert bench.comes_back()

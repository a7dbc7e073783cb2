"""How often Redis is asked for a feed: a storm of clients that come back together must not ask much of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pipeline.bus import Bus, open_bus
from pipeline.store.events import Filters
from tests.parts.feed_client import FeedClient
from tests.parts.redis_part import RedisPart
from tests.parts.stack import KEY, Stack
from tests.web.site import emit
from web.feed.past import Page, Past
from web.feed.polls import Ask, Polls
from web.feed.wish import Wish


@pytest.fixture(scope="module")
def relayed(shared: Callable[[str], Stack]) -> Stack:
    """A web server and a relay that nobody else uses."""
    return shared("relay")


@pytest.fixture(scope="module")
def bus(relayed: Stack) -> Iterator[Bus]:
    """A bus whose connection and scripts are there already."""
    opened = open_bus(relayed.settings())
    opened.session_clock("warm")
    opened.session_tail("warm", 0, 1, 1)
    yield opened
    opened.close_connections()


def asked(part: RedisPart, act: Callable[[], object]) -> list[str]:
    """The commands that reach Redis over a connection while `act` runs; not what its scripts do."""
    with part.client() as marker, part.client() as client, client.monitor() as monitor:
        # Its connection is made; what `act` asks comes behind this, and the end behind that.
        marker.execute_command("ECHO", "the beginning")
        act()
        marker.execute_command("ECHO", "the end")
        found: list[str] = []
        while (said := monitor.next_command())["command"] != "ECHO the end":
            if said["command"] == "ECHO the beginning":
                found.clear()
            elif said["client_type"] != "lua":
                found.append(said["command"].split()[0].upper())
    return found


def test_a_handshake_asks_redis_once(relayed: Stack, session_id: str) -> None:
    """Without this each feed that is opened would ask several times, and a deploy's clients come all at once."""

    def open_one() -> None:
        with FeedClient(relayed.url, session_id, KEY):
            pass

    # A thread beside the loop connects when it is first asked, and any of them may be the next one.
    for _ in range(20):
        commands = asked(relayed.redis, open_one)
        if not {"HELLO", "CLIENT", "EVAL"} & set(commands):
            break
    assert commands.count("EVALSHA") == 1
    assert set(commands) <= {"EVALSHA", "SUBSCRIBE", "UNSUBSCRIBE"}


def test_a_page_of_the_past_asks_redis_once(relayed: Stack, bus: Bus, session_id: str) -> None:
    """Without this clients that come back after an outage would keep Redis from those who write."""
    ids = emit(bus, session_id, 5)
    past, found = Past(relayed.settings(), bus, relayed.store), list[Page]()
    wish, (epoch, _) = Wish(session_id, ids[1], None, Filters()), bus.clock()
    commands = asked(relayed.redis, lambda: found.append(past.page(wish, ids[1], epoch)))
    assert [event.id for event in found[0].events] == ids[2:]
    assert commands == ["EVALSHA"]
    # Another epoch is found out by the same question; what follows from it is asked anew.
    commands = asked(relayed.redis, lambda: found.append(past.page(wish, ids[1], "another")))
    assert found[1].anew is not None
    assert [event.id for event in found[1].events] == ids
    assert commands.count("EVALSHA") == 2


def test_a_poll_asks_redis_twice_and_a_repeated_one_once(relayed: Stack, bus: Bus, session_id: str) -> None:
    """Without this a thousand clients that poll would ask several thousand times a second."""
    ids = emit(bus, session_id, 5)
    polls, ask = Polls(relayed.settings(), bus, relayed.store), Ask(session_id, ids[1], 50)
    assert asked(relayed.redis, lambda: polls.page(ask)) == ["EVALSHA", "EVALSHA"]
    assert asked(relayed.redis, lambda: polls.page(ask)) == ["EVALSHA"]

"""Servers with a relay, for tests that harm one and for tests that do not."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from pipeline.bus import Bus, open_bus
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack
from tests.relay.unified_part import Emitter

WAYS = ["threads", "relay"]


@pytest.fixture
def session_id() -> str:
    """A session that no other test uses."""
    return str(uuid.uuid4())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stack]]:
    """Web servers for one module's tests, by how they serve feeds; keepalives come each second."""
    part = RedisPart(tmp_path_factory.mktemp("valkey"))
    made: dict[str, Stack] = {}

    def give(way: str) -> Stack:
        if way not in made:
            home = tmp_path_factory.mktemp(way)
            # Few threads: a feed that holds one is noticed.
            made[way] = Stack(home, part, SPANFEED_WEB_THREADS="8", SPANFEED_FEED_KEEPALIVE_SECONDS="1")
            made[way].start(worker=False, recorder=False, relay=way == "relay")
        return made[way]

    yield give
    for way, stack in made.items():
        stack.close()
        # Otherwise both ways would have been tried the same way.
        assert way != "relay" or "no relay answers" not in stack.log("web")
    part.stop(kill=True)


@pytest.fixture
def relayed(make_stack: Callable[..., Stack]) -> Stack:
    """A web server and a relay of one test's own."""
    return make_stack().start(worker=False, recorder=False, relay=True)


@pytest.fixture
def relayed_bus(relayed: Stack) -> Iterator[Bus]:
    """A bus beside them, to append events as a worker would."""
    opened = open_bus(relayed.settings())
    yield opened
    opened.close_connections()


@pytest.fixture
def send(stack: Stack) -> Iterator[Emitter]:
    """An emitter of unified events beside a server."""
    made = Emitter(stack.settings())
    yield made
    made.bus.close_connections()


@pytest.fixture
def user() -> str:
    """A user whom no other test knows."""
    return f"user-{uuid.uuid4().hex[:12]}"

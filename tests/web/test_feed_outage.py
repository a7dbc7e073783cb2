"""Redis or the web server dies under open feeds: whoever stays, or comes back, gets everything."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from pipeline.bus import Bus, open_bus
from pipeline.errors import BusUnavailable
from tests.parts.feed_client import FeedClient
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack
from tests.web.site import emit


def _until(client: FeedClient, event_id: int) -> list[int]:
    client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == event_id)
    return [event["id"] for event in client.events]


@pytest.fixture(params=["threads", "relay"])
def stack(make_stack: Callable[..., Stack], request: pytest.FixtureRequest) -> Stack:
    """A web server on a Redis of its own, with both ways in which feeds are served."""
    return make_stack().start(worker=False, recorder=False, relay=request.param == "relay")


def test_a_feed_outlives_redis(stack: Stack, valkey: RedisPart, session_id: str) -> None:
    """After a crash of Redis an open page would stay silent for ever, or miss what came right after it."""
    bus = open_bus(stack.settings())
    with stack.feed(session_id) as client, stack.feed(session_id, after=0, event_type="error") as filtering:
        ids = emit(bus, session_id, 5)
        assert _until(client, ids[-1]) == ids
        for _ in range(2):
            valkey.stop(kill=True)
            with pytest.raises(BusUnavailable):
                emit(bus, session_id, 1)
            valkey.start()
            # At once: the server has hardly noticed that Redis is back.
            ids += emit(bus, session_id, 5)
            assert _until(client, ids[-1]) == ids
        errors = emit(bus, session_id, 1, "error")
        assert _until(filtering, errors[-1]) == errors
    assert [event["id"] for event in stack.events(session_id)] == [*ids, *errors]
    bus.close_connections()


def test_a_feed_outlives_a_redis_that_hangs(stack: Stack, valkey: RedisPart, session_id: str) -> None:
    """After a stall of Redis an open page would stay silent for ever."""
    bus = open_bus(stack.settings())
    with stack.feed(session_id) as client:
        ids = emit(bus, session_id, 3)
        valkey.signal(signal.SIGSTOP)
        client.socket.send("ping")
        client.until(lambda frame: frame["type"] == "text")
        valkey.signal(signal.SIGCONT)
        ids += emit(bus, session_id, 3)
        assert _until(client, ids[-1]) == ids
    bus.close_connections()


def test_a_feed_says_that_redis_is_away_and_back(stack: Stack, valkey: RedisPart, session_id: str) -> None:
    """While Redis is away a reader would be told that their question waits for a worker, which is not true."""
    bus = open_bus(stack.settings())
    with stack.feed(session_id) as client:
        valkey.stop(kill=True)
        client.until(lambda frame: frame["type"] == "bus" and frame["status"] == "away", 10)
        valkey.start()
        client.until(lambda frame: frame["type"] == "bus" and frame["status"] == "back", 10)
        ids = emit(bus, session_id, 1)
        assert _until(client, ids[-1]) == ids
    bus.close_connections()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_who_comes_back_after_all_servers_died_misses_nothing(
    stack: Stack, session_id: str, number: signal.Signals
) -> None:
    """After a deployment every open page would have a hole in its stages."""
    from websockets.exceptions import ConnectionClosed

    bus: Bus = open_bus(stack.settings())
    client = stack.feed(session_id)
    client.until(lambda frame: frame["type"] == "connection")
    ids = emit(bus, session_id, 3)
    assert _until(client, ids[-1]) == ids
    for name in list(stack.processes):
        stack.stop(name, number)
    with pytest.raises(ConnectionClosed):
        client.next()
    ids += emit(bus, session_id, 3)
    stack.start(worker=False, recorder=False, relay=True)
    with stack.feed(session_id, after=ids[2], epoch=client.frames[0]["epoch"]) as again:
        ids += emit(bus, session_id, 3)
        assert _until(again, ids[-1]) == ids[3:]
    assert "reset" not in {frame["type"] for frame in again.frames}
    bus.close_connections()

"""Streams across sessions while Redis dies or the relay is replaced: two channels, one order, nothing missed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pipeline.catalog import Audience
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack
from tests.relay.unified_part import OPERATORS, Emitter, opened, until


@pytest.fixture
def way() -> str:
    """How feeds are served."""
    return "relay"


@pytest.fixture
def stack(make_stack: Callable[..., Stack], way: str) -> Stack:
    """A server on a Redis of its own."""
    return make_stack().start(worker=False, recorder=False, relay=way == "relay")


def _some(send: Emitter, user: str, count: int) -> list[int]:
    """Events, by turns for the user and for everyone."""
    return [send("job.progress", None if n % 2 else user) for n in range(count)]


@pytest.mark.parametrize("way", ["threads", "relay"])
def test_a_stream_outlives_redis(stack: Stack, valkey: RedisPart, send: Emitter, user: str) -> None:
    """Without this an open page would stay silent after a crash of Redis, or miss what came right after it."""
    with opened(stack, user) as client, opened(stack, user, path=OPERATORS) as operators:
        ids = _some(send, user, 4)
        assert until(client, ids[-1]) == ids
        for _ in range(2):
            valkey.stop(kill=True)
            valkey.start()
            # At once: the server has hardly noticed that Redis is back.
            ids += _some(send, user, 4)
            assert until(client, ids[-1]) == ids
        assert until(operators, ids[-1]) == ids


def test_a_stream_outlives_its_relay(stack: Stack, send: Emitter, user: str) -> None:
    """Without this a deploy would cut users' streams, or lose what is announced while they change hands."""
    stopped, ids = threading.Event(), list[int]()

    def emit() -> None:
        while not stopped.wait(0.003):
            ids.append(send("job.progress", None if len(ids) % 2 else user, audience=None))

    with opened(stack, user) as client, opened(stack, user, event_type="custom.*") as filtering:
        emitting = threading.Thread(target=emit, daemon=True)
        emitting.start()
        for _ in range(2):
            old = stack.processes["relay"]
            stack.start_relay()
            assert old.wait(20) == 0
        stopped.set()
        emitting.join(10)
        ids.append(send("custom.end", audience=Audience.EVERYONE))
        assert until(client, ids[-1]) == ids
        assert until(filtering, ids[-1]) == ids[-1:]

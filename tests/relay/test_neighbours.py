"""Readers that stall, start late or only ask: neighbours get everything in time, and no server's memory grows."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from pipeline.bus import Bus, open_bus
from tests.parts.feed_client import FeedClient
from tests.parts.peer import Peer, frame
from tests.parts.stack import KEY, Stack
from tests.relay.conftest import WAYS
from tests.soak import messages
from tests.web.site import emit
from tests.web.wire import PING, Wire

_IN_TIME_SECONDS = 5.0
"""Much less than the 15 s after which a stalled client is cut off."""
_LARGE = 200_000
_LATE_EVENTS = 30


@pytest.fixture(params=WAYS)
def stack(request: pytest.FixtureRequest, shared: Callable[[str], Stack]) -> Stack:
    """A server that serves feeds in one way or the other."""
    return shared(str(request.param))


@pytest.fixture
def bus(stack: Stack) -> Iterator[Bus]:
    """A bus beside it, to append events as a worker would."""
    opened = open_bus(stack.settings())
    yield opened
    opened.close_connections()


def _memory_mb(stack: Stack) -> float:
    processes = [psutil.Process(process.pid) for process in stack.processes.values()]
    return sum(one.memory_info().rss for process in processes for one in [process, *process.children()]) / 1e6


def _until(client: FeedClient, event_id: int) -> None:
    client.until(lambda said: said["type"] == "event" and said["event"]["id"] == event_id)


def test_a_stalled_neighbour_costs_nobody_anything(stack: Stack, bus: Bus, session_id: str) -> None:
    """Without this one telephone without reception would hold its session's other readers up, or fill the memory."""
    with stack.feed(session_id) as healthy, Peer(stack.url, session_id, receive_buffer=4_096) as stalled:
        assert json.loads(stalled.text())["type"] == "connection"
        before, ids, longest = 0.0, [], 0.0
        for number in range(200):
            if number == 20:
                # What a process has needed once it keeps, whoever stalls.
                before = _memory_mb(stack)
            ids += emit(bus, session_id, data={"text": "x" * _LARGE})
            sent_at = time.monotonic()
            _until(healthy, ids[-1])
            longest = max(longest, time.monotonic() - sent_at)
            healthy.frames = [{**healthy.frames[-1], "event": {"id": ids[-1]}}]
        assert longest < _IN_TIME_SECONDS
        # 40 MB were announced; a client is owed 4 MB of what waits, and little more.
        assert _memory_mb(stack) - before < 25


def _texts(peer: Peer) -> Iterator[tuple[int, str]]:
    while True:
        message = json.loads(peer.text())
        if message["type"] == "event":
            yield message["event"]["id"], message["event"]["event_data"]["text"]


def _messages(wire: Wire) -> Iterator[tuple[int, str]]:
    buffer, told_id = bytearray(wire.rest()), b""
    while True:
        for kind, body in messages.stream(buffer):
            if kind == "id":
                told_id = body
            elif kind == "message":
                event = json.loads(body)
                assert int(told_id) == event["id"]
                yield event["id"], event["event_data"]["text"]
        data = wire.socket.recv(65_536)
        assert data, "the stream has ended"
        buffer += data


@contextlib.contextmanager
def _late(stack: Stack, session_id: str, transport: str) -> Iterator[Iterator[tuple[int, str]]]:
    """A client whose machine takes little more than it reads: ids and texts of its events, once it reads."""
    if transport == "ws":
        with Peer(stack.url, session_id, receive_buffer=4_096) as peer:
            assert json.loads(peer.text())["type"] == "connection"
            yield _texts(peer)
    else:
        with Wire(stack.url, receive_buffer=4_096) as wire:
            reply = wire.request("GET", f"/chat/events/{session_id}/stream", {"X-API-Key": KEY})
            assert reply.status == 200
            wire.wait_for(b"event: connection")
            yield _messages(wire)


@pytest.mark.parametrize("transport", ["ws", "sse"])
def test_who_reads_late_reads_whole_frames(stack: Stack, bus: Bus, session_id: str, transport: str) -> None:
    """Without this a page on a slow line would get broken frames, and its connection would break with them."""
    with stack.feed(session_id) as witness, _late(stack, session_id, transport) as late:
        sent = []
        for number in range(_LATE_EVENTS):
            text = f"{number:06d}" + "x" * _LARGE
            sent += [(event_id, text) for event_id in emit(bus, session_id, data={"text": text})]
        # Now everything has been announced, and most of it waits for who does not read.
        _until(witness, sent[-1][0])
        read = [next(late) for _ in sent]
        assert read == sent
        sent += [(event_id, "more") for event_id in emit(bus, session_id, data={"text": "more"})]
        assert next(late) == sent[-1]


def test_who_only_asks_is_not_owed_answers_without_end(stack: Stack, bus: Bus, session_id: str) -> None:
    """Without this one client that pings and never reads the answers could fill the server's memory."""
    with Peer(stack.url, session_id, receive_buffer=4_096) as asking, stack.feed(session_id) as healthy:
        assert json.loads(asking.text())["type"] == "connection"
        before = _memory_mb(stack)
        asking.socket.settimeout(10)
        many = frame(PING, b"x" * 125) * 1_000
        # It may be cut off while it sends, as one that reads nothing.
        with contextlib.suppress(ConnectionError):
            for _ in range(150):
                asking.send(many)
        [event_id] = emit(bus, session_id)
        _until(healthy, event_id)
        # 19 MB of answers were asked for.
        assert _memory_mb(stack) - before < 8

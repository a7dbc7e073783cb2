"""Readers that are slow, or never read: nobody else notices, and nothing is lost for who comes back."""

from __future__ import annotations

import json
import threading

import pytest

from pipeline.bus import Bus
from tests.parts.feed_client import FeedClient
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.web.site import emit
from tests.web.wire import TEXT, Wire

LARGE = {"text": "x" * 60_000}


@pytest.fixture(params=["threads", "relay"])
def way(request: pytest.FixtureRequest) -> str:
    """Both ways in which feeds are served."""
    return str(request.param)


def _stalled(stack: Stack, session_id: str) -> Wire:
    """A client that has been let in and reads no more."""
    wire = Wire(stack.url, receive_buffer=4_096)
    reply = wire.upgrade(f"/chat/ws/events/{session_id}")
    assert reply.status == 101
    # From the first frame on nothing is missed.
    assert json.loads(wire.frame()[1])["type"] == "connection"
    return wire


def test_who_never_reads_is_closed_and_disturbs_nobody(hasty: Stack, server_bus: Bus, session_id: str) -> None:
    """One telephone without reception would hold up every other reader of the session."""
    with FeedClient(hasty.url, session_id, None) as neighbour, _stalled(hasty, session_id) as stalled:
        ids: list[int] = []
        for _ in range(10):
            ids += emit(server_bus, session_id, 20, data=LARGE)
            # A neighbour who waits for all to be sent would itself be one who does not read.
            neighbour.until(lambda said, newest=ids[-1]: said["type"] == "event" and said["event"]["id"] == newest)
        assert [event["id"] for event in neighbour.events] == ids

        def there_is_a_place() -> bool:
            with Wire(hasty.url) as wire:
                return wire.upgrade(f"/chat/ws/events/{session_id}").status == 101

        # Two feeds are allowed: a third one is let in only once the stalled one has been closed.
        wait_for(there_is_a_place, "the end of the feed that nobody reads", 15)
        [last] = emit(server_bus, session_id, 1)
        neighbour.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == last)
        stalled.socket.settimeout(10)
        assert _drained(stalled) < 200


def _drained(wire: Wire) -> int:
    """How many events still come before the connection's end."""
    count = 0
    try:
        while True:
            opcode, payload = wire.frame()
            count += opcode == TEXT and json.loads(payload)["type"] == "event"
    except (EOFError, ConnectionError):
        return count


def test_who_reads_again_in_time_gets_everything(server: Stack, server_bus: Bus, session_id: str) -> None:
    """A reader that was slow for a moment would miss what did not fit into the queue."""
    count = 300
    with _stalled(server, session_id) as wire:
        # More than the queue and all buffers on the way can hold.
        ids = emit(server_bus, session_id, count, data=LARGE)
        seen: list[int] = []
        while len(seen) < count:
            opcode, payload = wire.frame()
            frame = json.loads(payload)
            if opcode == TEXT and frame["type"] == "event":
                seen.append(frame["event"]["id"])
    assert seen == ids


def test_a_slow_reader_of_a_long_past_does_not_hold_up_the_others(
    server: Stack, server_bus: Bus, session_id: str
) -> None:
    """While one client reads a long session the others would see nothing."""
    ids = emit(server_bus, session_id, 200, data=LARGE)
    with Wire(server.url, receive_buffer=4_096) as slow, server.feed(session_id) as quick:
        assert slow.upgrade(f"/chat/ws/events/{session_id}?after=0").status == 101
        [new] = emit(server_bus, session_id, 1)
        quick.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == new)
        seen: list[int] = []
        while len(seen) <= len(ids):
            frame = json.loads(slow.frame()[1])
            if frame["type"] == "event":
                seen.append(frame["event"]["id"])
    assert seen == [*ids, new]


def test_a_burst_arrives_complete_and_in_order(server: Stack, server_bus: Bus, session_id: str) -> None:
    """Of a burst of events most would be lost, as in the second seed's original."""
    with server.feed(session_id) as client:
        writing = threading.Thread(target=emit, args=(server_bus, session_id, 3_000))
        writing.start()
        client.until(lambda frame: frame["type"] == "event" and frame["event"]["seq"] == 3_000)
        writing.join(20)
    assert [event["seq"] for event in client.events] == list(range(1, 3_001))
    ids = [event["id"] for event in client.events]
    assert ids == sorted(set(ids))

"""Sockets that are handed over: they cost the web process nothing, outlive it, and are never lost on the way."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from pipeline.store.events import Filters
from tests.parts.feed_client import FeedClient
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.web.site import emit
from tests.web.wire import Wire
from web.access import Rights
from web.feed.seats import Claim, Full
from web.feed.wish import Wish
from web.handover import NoPlace, Relays
from web.relay import orders, sockets

CLAIM = Claim("s", "visitor:1", "127.0.0.1", "ws")


def _until(client: FeedClient, event_id: int) -> list[int]:
    client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == event_id)
    return [event["id"] for event in client.events]


def _descriptors(stack: Stack) -> int:
    processes = [psutil.Process(process.pid) for process in stack.processes.values()]
    return sum(one.num_fds() for process in processes for one in [process, *process.children()])


def _served(stack: Stack, name: str) -> int:
    """How many clients' sockets a process holds."""
    found = psutil.Process(stack.processes[name].pid).net_connections("tcp")
    return sum(one.laddr.port == stack.port and one.status == "ESTABLISHED" for one in found)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_deploy_of_the_web_drops_no_feed(
    relayed: Stack, relayed_bus: Bus, session_id: str, number: signal.Signals
) -> None:
    """Without this every deploy would cut all open pages off, and bring them back all at once."""
    with relayed.feed(session_id) as client:
        ids = emit(relayed_bus, session_id, 2)
        web = relayed.processes["web"]
        children = psutil.Process(web.pid).children()
        for child in children if number == signal.SIGKILL else []:
            child.kill()
        relayed.stop("web", number)
        ids += emit(relayed_bus, session_id, 2)
        assert _until(client, ids[-1]) == ids
        relayed.start_web()
        ids += emit(relayed_bus, session_id, 2)
        assert _until(client, ids[-1]) == ids
        client.socket.send("ping")
        client.until(lambda frame: frame["type"] == "text")


def test_open_feeds_take_no_threads(make_stack: Callable[..., Stack], session_id: str) -> None:
    """Without this four open pages would stop a server with four threads."""
    stack = make_stack(SPANFEED_WEB_THREADS="4").start(worker=False, recorder=False, relay=True)
    clients = [stack.feed(f"{session_id}-{number}") for number in range(20)]
    with stack.client() as http:
        assert http.get("/readyz").status_code == 200
    bus = open_bus(stack.settings())
    for number, client in enumerate(clients):
        [event_id] = emit(bus, f"{session_id}-{number}")
        assert _until(client, event_id) == [event_id]
        client.socket.close()
    bus.close_connections()


def test_a_relay_that_is_told_to_end_says_goodbye(relayed: Stack, session_id: str) -> None:
    """Without this clients would not know when to come back, or a deploy of the relay would hang on one of them."""
    with relayed.feed(session_id) as client, Wire(relayed.url, receive_buffer=4_096) as silent:
        assert silent.upgrade(f"/chat/ws/events/{session_id}").status == 101
        relay = relayed.processes.pop("relay")
        relay.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            client.next(1.5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert "try again in" in closed.value.rcvd.reason
        assert relay.wait(2.0) == 0
    assert not list(sockets.folder(relayed.settings().home_path).iterdir())


def test_who_loses_the_relay_misses_nothing(relayed: Stack, relayed_bus: Bus, session_id: str) -> None:
    """Without this a crash of the relay would leave a hole in every page, or open no page until it is back."""
    client = relayed.feed(session_id)
    client.until(lambda frame: frame["type"] == "connection")
    ids = emit(relayed_bus, session_id, 2)
    assert _until(client, ids[-1]) == ids
    relayed.stop("relay", signal.SIGKILL)
    with pytest.raises(ConnectionClosed):
        client.next(5)
    ids += emit(relayed_bus, session_id, 2)
    with relayed.feed(session_id, after=ids[1]) as by_a_thread:
        assert _until(by_a_thread, ids[-1]) == ids[2:]
        assert relayed.log("web").count("no relay answers") == 1
        relayed.start_relay()
        with relayed.feed(session_id, after=ids[1]) as by_the_next:
            assert _until(by_the_next, ids[-1]) == ids[2:]
            assert _served(relayed, "relay") == 1
            ids += emit(relayed_bus, session_id, 1)
            assert _until(by_the_next, ids[-1]) == _until(by_a_thread, ids[-1]) == ids[2:]


def test_a_relay_that_hangs_holds_nobody_up(relayed: Stack, relayed_bus: Bus, session_id: str) -> None:
    """Without this no page could be opened while a relay is stuck."""
    os.kill(relayed.processes["relay"].pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with relayed.feed(session_id) as client:
            assert time.monotonic() - started < 10
            [event_id] = emit(relayed_bus, session_id)
            assert _until(client, event_id) == [event_id]
    finally:
        os.kill(relayed.processes["relay"].pid, signal.SIGCONT)


def test_the_next_relay_takes_everything_over(relayed: Stack, relayed_bus: Bus, session_id: str) -> None:
    """Without this a relay could not be replaced without a moment in which none is there."""
    with relayed.feed(session_id) as old:
        first = relayed.processes.pop("relay")
        relayed.start_relay()
        with relayed.feed(session_id) as new:
            assert first.wait(10) == 0
            [event_id] = emit(relayed_bus, session_id)
            assert _until(old, event_id) == _until(new, event_id) == [event_id]
            old.socket.send("ping")
            old.until(lambda frame: frame["type"] == "text")
        with relayed.feed(session_id, after=0) as again:
            assert _until(again, event_id) == [event_id]
    assert "no relay answers" not in relayed.log("web")


def test_sessions_are_shared_among_relays(make_stack: Callable[..., Stack], session_id: str) -> None:
    """Without this a second relay would serve nobody, or one session's clients would be counted apart."""
    stack = make_stack(SPANFEED_RELAYS="2")
    for number in range(2):
        stack.start_relay(number)
    stack.start(worker=False, recorder=False)
    names = [f"{session_id}-{number}" for number in range(8)]
    clients = [stack.feed(name) for name in names]
    for number, process in enumerate(("relay", "relay-1")):
        share = sum(orders.relay_of(name, 2) == number for name in names)
        # The handshake is answered a moment before the socket is given.
        wait_for(
            lambda process=process, share=share: _served(stack, process) == share,  # type: ignore[misc]
            f"{share} feeds at {process}; the web's log: {stack.log('web')}",
        )
    # A socket stays where it is, whichever sessions are asked for over it.
    client, own = clients[0], orders.relay_of(names[0], 2)
    elsewhere = next(f"{session_id}-{n}" for n in itertools.count() if orders.relay_of(f"{session_id}-{n}", 2) != own)
    client.socket.send(json.dumps({"type": "subscribe", "session_id": elsewhere}))
    client.until(lambda frame: frame["type"] == "subscribed")
    bus = open_bus(stack.settings())
    [event_id] = emit(bus, elsewhere)
    assert _until(client, event_id) == [event_id]
    bus.close_connections()
    for client in clients:
        client.socket.close()


def test_thousands_of_feeds_leave_nothing_behind(relayed: Stack, session_id: str) -> None:
    """Without this a server would stop to answer after some hours, when all its descriptors are used up."""
    count = 2_000

    def open_and_close(number: int) -> None:
        with Wire(relayed.url) as wire:
            assert wire.upgrade(f"/chat/ws/events/{session_id}-{number % 40}").status == 101
            if number % 3:
                wire.frame()

    for number in range(50):
        open_and_close(number)
    with relayed.client() as http:
        http.get("/readyz")
    before = _descriptors(relayed)
    threads = [
        threading.Thread(target=lambda first=first: [open_and_close(n) for n in range(first, count, 4)])
        for first in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # What four threads at once have needed stays in the pools.
    wait_for(lambda: _descriptors(relayed) <= before + 40, f"as few descriptors as before ({before})")


def test_what_a_client_says_with_its_handshake_is_heard(relayed: Stack, session_id: str) -> None:
    """Without this the first words of a hasty client would be lost between the web server and the relay."""
    with Wire(relayed.url) as wire:
        mask = bytes(4)
        hasty = b"\x81\x84" + mask + b"ping"
        lines = [f"GET /chat/ws/events/{session_id} HTTP/1.1", "Host: x", "X-API-Key: sf_test-key-with-all-scopes"]
        lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""]
        wire.socket.sendall("\r\n".join(lines).encode() + hasty)
        heard = b""
        while b"\x81\x04pong" not in heard:
            data = wire.socket.recv(4_096)
            assert data
            heard += data


def test_the_door_is_open_to_its_owner_alone(relayed: Stack) -> None:
    """Without this another user of the machine could hand sockets over, or take the place of the relay."""
    folder = sockets.folder(relayed.settings().home_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    [door] = folder.iterdir()
    assert stat.S_IMODE(door.stat().st_mode) == 0o600


def test_nonsense_at_the_door_harms_nobody(relayed: Stack, relayed_bus: Bus, session_id: str) -> None:
    """Without this one web process of another version could bring all feeds down."""
    folder = sockets.folder(relayed.settings().home_path)
    with relayed.feed(session_id) as client:
        good = orders.ask(CLAIM)
        nonsense = (b"", b"\xff\xfe", b"a b", b"x" * 60_000, b"[]", b"{}", good.replace(b"ws", b"no"), b"null")
        for said in (*nonsense, good.replace(b'"s"', b'"a b"'), good.replace(b'"visitor:1"', b"1"), good):
            with sockets.connected(folder, orders.name_of(0), 5) as visitor:
                visitor.send(said)
                if said == good:
                    assert visitor.recv(100) == orders.YES
                    given, kept = socket.socketpair()
                    with given, kept:
                        socket.send_fds(visitor, [b"{}"], [given.fileno()])
                        assert visitor.recv(100) == b""
        [event_id] = emit(relayed_bus, session_id)
        assert _until(client, event_id) == [event_id]


# The moment of the hand-over, with a relay whose every step the test takes.

RIGHTS = Rights("visitor:1", None, owns_only=True, expires_at=7.5, key_id="AAAAAAAA", origin="https://example.org")
WISH = Wish("s", 7, "1", Filters(event_types=("tool_*",)), "ws")


class Played:
    """A relay's door, and a client's socket with its other end."""

    def __init__(self, home: Path) -> None:
        self.listener = sockets.listening(sockets.folder(home), orders.name_of(0))
        self.listener.setblocking(True)
        self.relays = Relays(settings_table.load({"SPANFEED_HOME": str(home)}))
        self.client, self.server = socket.socketpair()
        self.client.settimeout(20)

    def answer(self, *answers: bytes) -> threading.Thread:
        """Gives one visitor these answers, one for each thing it says, then goes; keeps no descriptor."""

        def play() -> None:
            visitor, _ = self.listener.accept()
            with visitor:
                for answer in answers:
                    _, descriptors, _, _ = socket.recv_fds(visitor, 65_536, 1)
                    if answer:
                        visitor.send(answer)
                    for descriptor in descriptors:
                        with socket.socket(fileno=descriptor) as taken:
                            if answer == orders.TAKEN:
                                taken.sendall(b"from the relay")

        thread = threading.Thread(target=play)
        thread.start()
        return thread

    def close(self) -> None:
        """Ends all of it."""
        for sock in (self.listener, self.client, self.server):
            sock.close()


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    """In a folder whose path is longer than a socket's address may be."""
    made = Played(tmp_path / ("a-long-name-" * 12))
    yield made
    made.close()


def test_a_socket_that_was_taken_is_the_relays_alone(played: Played) -> None:
    """Without this gunicorn, which shuts a request's connection down, would end every feed as soon as it begins."""
    playing = played.answer(orders.YES, orders.TAKEN)
    seat = played.relays.seat(CLAIM)
    assert seat is not None
    assert seat.give(played.server, WISH, RIGHTS, b"")
    playing.join(20)
    played.server.shutdown(socket.SHUT_RDWR)
    assert played.client.recv(100) == b"from the relay"


def test_a_socket_that_was_not_taken_is_still_ours(played: Played) -> None:
    """Without this a client would be lost when the relay dies in the moment of the hand-over."""
    playing = played.answer(orders.YES, b"")
    seat = played.relays.seat(CLAIM)
    assert seat is not None
    assert not seat.give(played.server, WISH, RIGHTS, b"")
    playing.join(20)
    played.server.sendall(b"from a thread")
    assert played.client.recv(100) == b"from a thread"


@pytest.mark.parametrize("full", list(Full))
def test_a_full_relay_is_no_absent_relay(played: Played, full: Full) -> None:
    """Without this a limit would be got round by the threads of the web process."""
    playing = played.answer(full.encode())
    with pytest.raises(NoPlace) as none:
        played.relays.seat(CLAIM)
    assert none.value.full is full
    playing.join(20)


def test_an_order_arrives_as_it_was_given() -> None:
    """Without this a client would be served what it has not asked for."""
    assert orders.read_order(orders.order(WISH, RIGHTS, b"\n{read ahead}\n")) == (WISH, RIGHTS, b"\n{read ahead}\n")
    everything = Wish("s", None, None, Filters(), "sse")
    assert orders.read_order(orders.order(everything, Rights(), b"")) == (everything, Rights(), b"")
    assert orders.read_ask(orders.ask(CLAIM)) == CLAIM

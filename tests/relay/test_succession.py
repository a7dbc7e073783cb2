"""A relay that is replaced: every socket goes on with the next one, and nobody misses, repeats or reorders anything."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from websockets.frames import Opcode

from pipeline.bus import Bus, open_bus
from pipeline.bus.keys import session_channel
from pipeline.store.events import Filters
from tests.parts.audience import Audience, Listener
from tests.parts.peer import frame
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.web.site import emit
from web.access import Rights
from web.keyring import Locksmith
from web.relay import orders, parcels, sockets

_SOCKETS = 1_000
_SESSIONS = 40
_TOOLS = Filters(event_types=("tool_*",))
_LARGE = {"text": "x" * 60_000}


class Emitting(threading.Thread):
    """Events in all sessions, one after the other, every second one of a tool, until it is stopped."""

    def __init__(self, bus: Bus, names: list[str], announce: Callable[[str, bytes], object]) -> None:
        super().__init__(daemon=True)
        self._bus = bus
        self._announce = announce
        self._stopped = threading.Event()
        self.pieces = 0
        """How many pieces of an answer were announced in the second session: they are nowhere but there."""
        self.ids: dict[str, list[int]] = {name: [] for name in names}
        self.tools: dict[str, list[int]] = {name: [] for name in names}

    def run(self) -> None:
        """Emits."""
        turn = 0
        while not self._stopped.wait(0.005):
            turn += 1
            self.emit(list(self.ids)[turn % len(self.ids)])
            self._announce_piece()

    def _announce_piece(self) -> None:
        body = {"type": "chunk", "message_id": "m-1", "attempt": 1, "offset": self.pieces, "text": "x"}
        head = b"0 chunk workflow normal none\n"
        self._announce(session_channel(list(self.ids)[1]), head + json.dumps(body).encode())
        self.pieces += 1

    def emit(self, name: str) -> None:
        """One event of a tool, or of another stage."""
        is_tool = len(self.ids[name]) % 2 == 1
        found = emit(self._bus, name, event_type="tool_search" if is_tool else "agent_thinking")
        self.ids[name] += found
        self.tools[name] += found if is_tool else []

    def stop(self) -> None:
        """Ends."""
        self._stopped.set()
        self.join(10)

    def finish(self) -> None:
        """Ends with two events in each session, so that everybody's last one is known."""
        self.stop()
        for name in self.ids:
            self.emit(name)
            self.emit(name)

    def wanted(self, listener: Listener) -> list[int]:
        """What a listener of its own session was to be told."""
        return (self.ids if listener.wish.filters != _TOOLS else self.tools)[listener.wish.session_id]


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """A relay, and nothing that hands sockets over but the test."""
    stack = make_stack()
    stack.start_relay()
    return stack


@pytest.fixture
def bus(stack: Stack) -> Iterator[Bus]:
    """A bus beside it."""
    opened = open_bus(stack.settings())
    yield opened
    opened.close_connections()


@pytest.fixture
def emitting(stack: Stack, bus: Bus) -> Iterator[Callable[[list[str]], Emitting]]:
    """Begins to emit in sessions; ends with the test at the latest."""
    made: list[Emitting] = []

    def begin(names: list[str]) -> Emitting:
        made.append(Emitting(bus, names, stack.redis.client().publish))
        made[0].start()
        return made[0]

    yield begin
    for one in made:
        one.stop()


@pytest.fixture
def audience(stack: Stack) -> Iterator[Audience]:
    """Nobody yet."""
    made = Audience(stack.settings())
    yield made
    made.close()


def _seated(audience: Audience, names: list[str], count: int) -> dict[Listener, str]:
    """Clients of all kinds; those that follow another session, too, with its name."""
    further: dict[Listener, str] = {}
    for number in range(count):
        name = names[number % len(names)]
        filters = _TOOLS if number % 3 == 0 else Filters()
        listener = audience.sit(name, "sse" if number % 5 == 0 else "ws", filters=filters)
        if number % 7 == 0 and listener.wish.transport == "ws":
            further[listener] = names[(number + 1) % len(names)]
    audience.until(lambda: all(one.messages for one in audience.all), "the greeting of all")
    for listener, name in further.items():
        listener.say({"type": "subscribe", "session_id": name})
    audience.until(
        lambda: all(any(m["type"] == "subscribed" for m in one.messages) for one in further), "further sessions"
    )
    return further


def _replace(stack: Stack, audience: Audience) -> None:
    """Starts another relay beside the one that is there, and waits until that has gone."""
    old = stack.processes.pop("relay")
    starting = threading.Thread(target=stack.start_relay)
    starting.start()
    audience.until(lambda: old.poll() is not None, "the end of the relay before", 60)
    starting.join(30)
    assert old.wait(1) == 0


def test_a_thousand_sockets_outlive_three_relays(
    stack: Stack, bus: Bus, audience: Audience, emitting: Callable[[list[str]], Emitting], session_id: str
) -> None:
    """Without this each deploy of the relay would cut all open pages off, or leave a hole in some of them."""
    names = [f"{session_id}-{number}" for number in range(_SESSIONS)]
    past = emit(bus, f"{session_id}-past", 20, **_LARGE)
    further = _seated(audience, names, _SOCKETS - 3)
    half, late, stalled = (
        audience.sit(names[0]),
        audience.sit(f"{session_id}-past", receive_buffer=4_096, after=0),
        audience.sit(f"{session_id}-stalled", receive_buffer=4_096),
    )
    audience.until(lambda: bool(half.messages), "a greeting")
    ping = frame(Opcode.TEXT, b"ping")
    half.socket.sendall(ping[:3])
    stalled.socket.recv(1_000, socket.MSG_PEEK)
    # More than all buffers on the way hold, so that a frame is half sent.
    much = emit(bus, f"{session_id}-stalled", 40, **_LARGE)
    events = emitting(names)
    for number in range(3):
        _replace(stack, audience)
        half.socket.sendall(ping[3 + number : 4 + number])
    events.finish()
    half.socket.sendall(ping[6:])
    for listener in (late, stalled):
        audience.read(listener)
    own = [one for one in audience.all if one not in (late, stalled)]
    audience.until(lambda: all(one.ids()[-1:] == events.wanted(one)[-1:] for one in own), "everybody's last event")
    audience.until(lambda: {"pong"} <= {m["type"] for m in half.messages}, "the answer to a ping sent in five pieces")
    audience.until(lambda: (late.ids(), stalled.ids()) == (past, much), "what was read late")
    audience.until(
        lambda: all(one.ids(name)[-1:] == events.ids[name][-1:] for one, name in further.items()), "further sessions"
    )
    for listener in own:
        told, wanted = listener.ids(), events.wanted(listener)
        assert told == wanted[len(wanted) - len(told) :]
        assert len(told) == len(wanted) or listener is half
    for listener, name in further.items():
        assert listener.ids(name) == events.ids[name]
        assert [event["seq"] for event in listener.events if event["session_id"] == name] == [
            *range(1, len(events.ids[name]) + 1)
        ]
    for listener in own:
        if listener.wish.session_id == names[1] and listener.wish.filters != _TOOLS:
            pieces = [message["offset"] for message in listener.messages if message["type"] == "chunk"]
            # A piece may come twice, which its offset tells, but none may be missing.
            assert list(dict.fromkeys(pieces)) == list(range(events.pieces))
    assert not [one for one in audience.all if one.ended]
    # Nobody had fallen behind for it.
    assert {m["type"] for one in own for m in one.messages} <= {
        "connection",
        "subscribed",
        "event",
        "pong",
        "chunk",
        "keepalive",
    }


def test_a_succession_leaves_nothing_behind(stack: Stack, bus: Bus, audience: Audience, session_id: str) -> None:
    """Without this a relay that was replaced often would run out of descriptors, or keep places of clients gone."""
    base = psutil.Process(stack.processes["relay"].pid).num_fds()
    names = [f"{session_id}-{number}" for number in range(6)]
    _seated(audience, names, 120)
    _replace(stack, audience)
    next_one = psutil.Process(stack.processes["relay"].pid)
    assert len(next_one.net_connections("tcp")) >= 120
    audience.close()
    wait_for(lambda: next_one.num_fds() <= base + 8, f"as few descriptors as without clients ({base})")
    again = Audience(stack.settings())
    # As many as a session may have: places of those who have gone are free.
    for _ in range(50):
        again.sit(names[0])
    again.close()
    assert sockets.folder(stack.settings().home_path).stat()
    assert [one.name for one in sockets.folder(stack.settings().home_path).iterdir()] == [orders.name_of(0)]


@pytest.mark.parametrize("place", ["taking", "taken"])
def test_a_successor_that_dies_takes_nobody_with_it_whom_it_had_not_taken(
    stack: Stack,
    audience: Audience,
    emitting: Callable[[list[str]], Emitting],
    session_id: str,
    tmp_path: Path,
    place: str,
) -> None:
    """Without this a faulty new version would bring all feeds down, where the old relay could go on."""
    names = [f"{session_id}-{number}" for number in range(10)]
    _seated(audience, names, 300)
    events = emitting(names)
    relay = stack.processes.pop("relay")
    stack.environment["SPANFEED_FAILPOINTS"] = f"relay.{place}=kill@{tmp_path / 'killed'}"
    killed = stack.spawn("relay", "spanfeed", "relay")
    audience.until(lambda: killed.poll() is not None, "the end of the successor")
    assert killed.returncode == -signal.SIGKILL
    # The door is the old one's again.
    wait_for(lambda: stack.log("relay").count("serves feeds") == 3, "the old relay's word")
    assert "the others stay here" in stack.log("relay")
    stack.processes["relay"] = relay
    newcomer = audience.sit(names[0])
    audience.until(lambda: bool(newcomer.messages), "the greeting of a new client")
    events.finish()
    audience.until(
        lambda: all(one.ended or one.ids()[-1:] == events.wanted(one)[-1:] for one in audience.all), "the last event"
    )
    lost = [one for one in audience.all if one.ended]
    # What it had said to have taken was its own; it was never told twice.
    assert len(lost) == (200 if place == "taken" else 0)
    for listener in audience.all[:-1]:
        wanted = events.wanted(listener)
        assert listener.ids() == (wanted[: len(listener.ids())] if listener.ended else wanted)
    _replace(stack, audience)
    assert [one for one in audience.all if one.ended] == lost


def test_a_relay_of_another_version_is_refused_and_all_are_sent_to_it(
    stack: Stack, audience: Audience, session_id: str
) -> None:
    """Without this a new version would misread what an old one says of its clients."""
    listener = audience.sit(session_id)
    stream = audience.sit(session_id, "sse")
    relay = stack.processes.pop("relay")
    with sockets.connected(sockets.folder(stack.settings().home_path), orders.name_of(0), 5) as successor:
        successor.send(orders.succession("0-00000000"))
        word, _, given = parcels.receive(successor)
        assert (word, given) == (parcels.REFUSED, [])
        successor.send(parcels.END)
        audience.until(lambda: listener.ended and stream.ended, "the end of both")
    assert listener.close_code == 1012
    assert relay.wait(20) == 0


def test_a_key_that_is_revoked_later_ends_its_feeds_at_the_next_relay(
    stack: Stack, audience: Audience, session_id: str
) -> None:
    """Without this a key that was stolen would listen on for good once the relay was replaced."""
    locksmith = Locksmith(stack.settings(), stack.store)
    _, row = locksmith.create("of a feed", ["events:read"], "test")
    by_key = audience.sit(session_id, rights=Rights("key:a", key_id=row.key_id))
    other = audience.sit(session_id)
    audience.until(lambda: bool(by_key.messages and other.messages), "the greeting of both")
    _replace(stack, audience)
    locksmith.revoke(row.key_id)
    audience.until(lambda: by_key.ended, "the end of the key's feed", 30)
    assert (by_key.close_code, other.ended) == (4401, False)


def test_a_relay_replaces_itself_under_the_same_process(
    make_stack: Callable[..., Stack], session_id: str, tmp_path: Path
) -> None:
    """Without this whoever supervises a relay would take its replacement for its end, and end the next one, too."""
    threads = tmp_path / "threads"
    threads.write_text("4")
    stack = make_stack(SPANFEED_RELAY_THREADS_FILE=str(threads))
    stack.start_relay()
    bus, audience = open_bus(stack.settings()), Audience(stack.settings())
    listener, relay = audience.sit(session_id), stack.processes["relay"]
    audience.until(lambda: bool(listener.messages), "the greeting")
    # A successor that cannot start changes nothing.
    threads.write_text("nonsense")
    relay.send_signal(signal.SIGHUP)
    wait_for(lambda: "must be a int" in stack.log("relay"), "the successor's complaint")
    ids = emit(bus, session_id)
    threads.write_text("4")
    for _ in range(2):
        before = {relay.pid, *(child.pid for child in psutil.Process(relay.pid).children())}
        assert "1 feeds were taken over" in stack.command("relay", "--replace")
        ids += emit(bus, session_id)
        audience.until(lambda: listener.ids()[-1:] == ids[-1:], "the last event")  # noqa: B023 - asked in this turn
        assert listener.ids() == ids
        wait_for(lambda: len(psutil.Process(relay.pid).children()) == 1, "one relay below its keeper")
        assert psutil.Process(relay.pid).children()[0].pid not in before
    assert psutil.Process(relay.pid).memory_info().rss < 40_000_000
    relay.send_signal(signal.SIGTERM)
    audience.until(lambda: listener.ended, "the end")
    assert listener.close_code == 1012
    assert relay.wait(20) == 0
    audience.close()
    bus.close_connections()


def test_a_relay_that_is_told_to_end_tells_a_thousand(stack: Stack, audience: Audience, session_id: str) -> None:
    """Without this a relay that has no successor would leave its clients without a word, or end late."""
    _seated(audience, [f"{session_id}-{number}" for number in range(_SESSIONS)], _SOCKETS)
    relay = stack.processes.pop("relay")
    relay.send_signal(signal.SIGTERM)
    audience.until(lambda: all(one.ended for one in audience.all), "the end of all", 2 + 8)
    assert {one.close_code for one in audience.all} == {1012, None}
    assert {one.wish.transport for one in audience.all if one.close_code is None} == {"sse"}
    assert relay.wait(20) == 0

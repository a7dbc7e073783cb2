"""A thousand open sockets at the relay outlive the web server's death and restart, and leave nothing behind."""

from __future__ import annotations

import concurrent.futures
import signal

import psutil

from pipeline.bus import Bus
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.web.site import emit
from tests.web.wire import Wire

_SOCKETS = 1_000
_SESSIONS = 25


def _opened(stack: Stack, session_id: str, number: int) -> Wire:
    wire = Wire(stack.url)
    assert wire.upgrade(f"/chat/ws/events/{session_id}-{number % _SESSIONS}").status == 101
    assert b'"connection"' in wire.frame()[1]
    return wire


def _all_are_told(bus: Bus, session_id: str, wires: list[Wire]) -> None:
    ids = [emit(bus, f"{session_id}-{number}")[0] for number in range(_SESSIONS)]
    for number, wire in enumerate(wires):
        said = b'{"type":"keepalive"'
        while b'"event"' not in said.partition(b",")[0]:
            said = wire.frame()[1]
        assert b'"id":%d,' % ids[number % _SESSIONS] in said


def test_a_thousand_sockets_outlive_the_web_server(relayed: Stack, relayed_bus: Bus, session_id: str) -> None:
    """Without this a deploy of the web server would bring all its pages back at once, or leak their sockets."""
    relay = psutil.Process(relayed.processes["relay"].pid)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        # Its threads' own connections are counted before.
        for wire in pool.map(lambda number: _opened(relayed, session_id, number), range(50)):
            wire.socket.close()
        wait_for(lambda: not _clients(relay, relayed.port), "the end of the first feeds")
        before = relay.num_fds()
        wires = list(pool.map(lambda number: _opened(relayed, session_id, number), range(_SOCKETS)))
    assert len(_clients(relay, relayed.port)) == _SOCKETS
    for child in psutil.Process(relayed.processes["web"].pid).children():
        child.kill()
    relayed.stop("web", signal.SIGKILL)
    _all_are_told(relayed_bus, session_id, wires)
    relayed.start_web()
    relayed.stop("web", signal.SIGTERM)
    _all_are_told(relayed_bus, session_id, wires)
    for wire in wires:
        wire.socket.close()
    wait_for(lambda: relay.num_fds() <= before + 8, f"as few descriptors as before ({before})", 30)
    wait_for(lambda: not _clients(relay, relayed.port), "the end of all feeds", 30)


def _clients(process: psutil.Process, port: int) -> list[int]:
    return [one.fd for one in process.net_connections("tcp") if one.laddr.port == port]

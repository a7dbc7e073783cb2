"""Connections and those who hold them: kinds 9, 10 and 11."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time

from tests.faults.options import KEY
from tests.faults.run import Run
from tests.parts.proxy import TcpProxy

_STORM = 60
_MODES = ("cut", "lag", "drop-replies", "half-open", "refuse")


def disturb(run: Run, rng: random.Random) -> str:
    """Kind 9: the way to Redis, to the database or to a web server is cut, slow, one-way or dead."""
    ways = {"redis": run.world.redis_proxy, "web": rng.choice(run.world.web_proxies)}
    if run.world.database_proxy is not None:
        ways["the database"] = run.world.database_proxy
    whither = "redis" if run.world.options.breaks else rng.choice(sorted(ways))
    mode = "drop-replies" if run.world.options.breaks else rng.choice(_MODES)
    seconds = rng.uniform(0.3, 1.5)
    delay = rng.uniform(0.05, 0.5)
    run.world.later(lambda: _misbehave(ways[whither], mode, seconds, delay))
    return f"the way to {whither}: {mode} for {seconds:.1f} s"


def _misbehave(proxy: TcpProxy, mode: str, seconds: float, delay: float) -> None:
    match mode:
        case "cut":
            proxy.cut()
        case "lag":
            proxy.delay_seconds = delay
            time.sleep(seconds)
        case "drop-replies":
            proxy.dropping_replies = True
            time.sleep(seconds / 3)
        case "half-open":
            proxy.stand_still(True)
            time.sleep(seconds * 2)
            proxy.cut()
        case "refuse":
            proxy.refusing = True
            proxy.cut()
            time.sleep(seconds)
    proxy.heal()


def slow_reader(run: Run, rng: random.Random) -> str:
    """Kind 10: a client that never reads, or one byte a second; the others must not notice."""
    reads = rng.random() < 0.5
    port = rng.choice(run.world.web_ports)
    session_id = rng.choice(run.sessions)
    thread = threading.Thread(target=_read_slowly, args=(port, session_id, 6.0, reads), daemon=True)
    run.hostile.append(thread)
    thread.start()
    return f"a client that reads {'a byte a second' if reads else 'nothing'}"


def _read_slowly(port: int, session_id: str, seconds: float, reads: bool) -> None:
    head = (
        f"GET /chat/ws/events/{session_id}?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {KEY}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with contextlib.suppress(OSError), socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.settimeout(5)
        sock.connect(("127.0.0.1", port))
        sock.sendall(head.encode())
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if reads and not sock.recv(1):
                return
            time.sleep(1)


def storm(run: Run, rng: random.Random) -> str:
    """Kind 11: every client loses its connection at once, and many more come beside them."""
    count = run.world.options.storm_clients
    for proxy in run.world.web_proxies:
        proxy.cut()
    run.storm(count, rng)
    return f"every client is cut, and {count} more come"

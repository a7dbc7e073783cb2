"""Requests that are small, or without end, and would become large in a server: its memory stays what it was."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.parts.stack import KEY, Stack
from tests.web.wire import HANDSHAKE, TEXT, Wire

_GROWTH_LIMIT_BYTES = 20_000_000
_TIMES = 12
_HEAD = f"X-API-Key: {KEY}\r\nHost: x\r\n"
_JSON = "Content-Type: application/json\r\nPrefer: respond-async\r\n"


@pytest.fixture(params=["threads", "relay"])
def way(request: pytest.FixtureRequest) -> str:
    """With a relay and without."""
    return str(request.param)


def _post(body: bytes, headers: str = _JSON, path: str = "/chat/") -> Iterator[bytes]:
    yield f"POST {path} HTTP/1.1\r\n{_HEAD}{headers}Content-Length: {len(body)}\r\n\r\n".encode()
    yield body


def _chunked(piece: bytes, path: str = "/chat/") -> Iterator[bytes]:
    yield f"POST {path} HTTP/1.1\r\n{_HEAD}{_JSON}Transfer-Encoding: chunked\r\n\r\n".encode()
    for _ in range(400):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def _get(line: str, headers: bytes = b"") -> Iterator[bytes]:
    yield f"GET {line} HTTP/1.1\r\n{_HEAD}".encode() + headers + b"\r\n"


def _message(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


_GZIP = gzip.compress(bytes(32_000_000))
_UPGRADE = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items()).encode()
BOMBS: dict[str, Callable[[], Iterator[bytes]]] = {
    "a compressed body": lambda: _post(_GZIP, f"{_JSON}Content-Encoding: gzip\r\n"),
    "a compressed body of events": lambda: _post(_GZIP, f"{_JSON}Content-Encoding: gzip\r\n", "/api/v1/events"),
    "a body without end": lambda: _chunked(b"x" * 60_000),
    "events without end": lambda: _chunked(b"[" * 60_000, "/api/v1/events"),
    "a body in tiny pieces": lambda: _chunked(b"x"),
    "a chunk that says it is huge": lambda: iter(
        [f"POST /chat/ HTTP/1.1\r\n{_HEAD}{_JSON}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx".encode()]
    ),
    "a length that says it is huge": lambda: iter(
        [f"POST /chat/ HTTP/1.1\r\n{_HEAD}{_JSON}Content-Length: 99999999999999\r\n\r\nx".encode()]
    ),
    "lists in lists": lambda: _post(b'{"message":' + b"[" * 120_000),
    "objects in objects": lambda: _post(b'{"message":' + b'{"a":' * 50_000),
    "lists in lists, closed": lambda: _post(b"[" * 100_000 + b"]" * 100_000),
    "a list of empty lists": lambda: _post(b'{"message":"x","metadata":{"a":[' + b"[]," * 80_000 + b"[]]}}"),
    "many keys": lambda: _post(json.dumps({f"k{number}": 0 for number in range(18_000)}).encode()),
    "many events": lambda: _post(b"[" + b"{}," * 1_300_000 + b"{}]", path="/api/v1/events"),
    "many lines": lambda: _post(b"1\n" * 2_000_000, "Content-Type: application/x-ndjson\r\n", "/api/v1/events"),
    "a number of many digits": lambda: _post(b'{"message":"x","metadata":{"a":' + b"9" * 200_000 + b"}}"),
    "a number that is written short": lambda: _post(b'{"message":"x","metadata":{"a":1e999999999}}'),
    "escapes": lambda: _post(b'{"message":"' + b"\\u00e9" * 40_000 + b'"}'),
    "combining characters": lambda: _post(_message("e\u0301" * 8_000)),
    "a template": lambda: _post(_message("{x:>99999999}" * 900)),
    "parts of a form": lambda: _post(b"--x\r\n" * 50_000, "Content-Type: multipart/form-data; boundary=x\r\n"),
    "a long line": lambda: _get("/" + "x" * 3_000_000),
    "a query of many parts": lambda: _get("/chat/events/s?" + "&event_type=a" * 290),
    "a long number": lambda: _get("/chat/events/s?limit=" + "9" * 3_900),
    "a long header": lambda: _get("/health", b"X-A: " + b"x" * 3_000_000 + b"\r\n"),
    "many headers": lambda: _get("/health", b"".join(b"X-%d: x\r\n" % number for number in range(50_000))),
    "a long cookie": lambda: _get("/health", b"Cookie: " + b"a=b; " * 1_600 + b"\r\n"),
    "many ranges": lambda: _get("/static/app/app.js", b"Range: bytes=" + b"0-,1-," * 600 + b"5-\r\n"),
    "a handshake with many extensions": lambda: _get(
        "/chat/ws/events/s", _UPGRADE + b"Sec-WebSocket-Extensions: " + b"permessage-deflate, " * 400 + b"x\r\n"
    ),
}


def _processes(stack: Stack) -> Iterator[Path]:
    for process in stack.processes.values():
        one = psutil.Process(process.pid)
        yield from (Path("/proc") / str(found.pid) for found in [one, *one.children(recursive=True)])


def _peak(stack: Stack, begin_anew: bool = False) -> int:
    """The most memory that its processes had since this was begun anew, in bytes."""
    found = 0
    for process in _processes(stack):
        if begin_anew:
            (process / "clear_refs").write_text("5")
        [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
        found += int(kilobytes) * 1024
    return found


def _throw(stack: Stack, bomb: Callable[[], Iterator[bytes]]) -> int:
    """Sends it, as far as it is taken, and gives the status of the answer; 0: the connection was ended without one."""
    with Wire(stack.url) as wire:
        with contextlib.suppress(OSError):
            for piece in bomb():
                wire.socket.sendall(piece)
            # Nothing more will come: the server need not wait for it.
            wire.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            said = wire.socket.recv(100)
            return int(said.split()[1]) if said else 0
    return 0


def test_no_request_fills_the_memory(server: Stack) -> None:
    """Without this one client with a few kilobytes could bring the server down for everybody."""
    with server.client() as http:
        assert {http.get("/chat/events/s").status_code for _ in range(20)} == {200}
    answers, grown = {}, {}
    for name, bomb in BOMBS.items():
        before = _peak(server, begin_anew=True)
        answers[name] = _throw(server, bomb)
        grown[name] = _peak(server) - before
    assert not {name: size for name, size in grown.items() if size >= _GROWTH_LIMIT_BYTES}
    # Nothing of it is kept, either.
    before = _peak(server, begin_anew=True)
    for bomb in BOMBS.values():
        _throw(server, bomb)
    assert _peak(server) - before < _GROWTH_LIMIT_BYTES
    assert not {name: status for name, status in answers.items() if status >= 500}
    assert httpx.get(f"{server.url}/health", timeout=30).status_code == 200


def test_no_feed_fills_the_memory(server: Stack, session_id: str) -> None:
    """Without this one open feed could be used to fill the relay's memory, which all others share."""
    path = f"/chat/ws/events/{session_id}"
    texts = (
        b"[" * 4_000,
        b'{"type":"subscribe","session_id":"s","event_type":[' + b'"*",' * 900 + b'"*"]}',
        b'{"type":"subscribe","session_id":"' + b"\\u0041" * 600 + b'"}',
        b'{"type":"token","token":"' + os.urandom(1_500).hex().encode() + b'"}',
    )
    for turn in range(_TIMES):
        if turn == 2:
            before = _peak(server, begin_anew=True)
        with Wire(server.url) as wire, contextlib.suppress(OSError, EOFError):
            assert wire.upgrade(path).status == 101
            for text in texts:
                wire.send_frame(TEXT, text)
            wire.send_frame(TEXT, b'{"type":"ping"}')
            while b"pong" not in wire.frame()[1]:
                continue
    assert _peak(server) - before < _GROWTH_LIMIT_BYTES

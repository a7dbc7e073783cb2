"""The feed's frames, word for word, and what a client may send."""

from __future__ import annotations

import json
import re
import struct
import time
import zlib
from collections.abc import Iterator

import psutil
import pytest

from pipeline.bus import Bus
from pipeline.event import Status
from tests.parts.stack import Stack
from tests.pipeline.driven import kept
from tests.web.site import emit
from tests.web.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Wire

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture(params=["threads", "relay"])
def way(request: pytest.FixtureRequest) -> str:
    """Both ways in which feeds are served."""
    return str(request.param)


@pytest.fixture
def wire(server: Stack, session_id: str) -> Iterator[Wire]:
    """An open feed whose greeting has been read."""
    with Wire(server.url) as opened:
        assert opened.upgrade(f"/chat/ws/events/{session_id}").status == 101
        assert json.loads(opened.frame()[1])["type"] == "connection"
        yield opened


def _says(wire: Wire) -> str:
    opcode, payload = wire.frame()
    assert opcode == TEXT, payload
    return payload.decode()


def test_the_first_frame_is_the_seeds(server: Stack, session_id: str) -> None:
    """A client written for the first seed would not know that it is connected."""
    with Wire(server.url) as wire:
        wire.upgrade(f"/chat/ws/events/{session_id}")
        frame = json.loads(_says(wire))
    assert _TIMESTAMP.fullmatch(frame["timestamp"])
    expected = {
        "type": "connection",
        "status": "connected",
        "session_id": session_id,
        "message": "🔗 Connected to real-time event stream",
    }
    assert {name: frame[name] for name in expected} == expected


def test_an_event_is_the_same_as_by_polling(server: Stack, server_bus: Bus, wire: Wire, session_id: str) -> None:
    """A client that changes from one transport to the other would see every event twice."""
    emit(server_bus, session_id, 2, status=Status.COMPLETED, text="✅ Analysis complete", data={"a": ["é"]})
    frames = [json.loads(_says(wire)) for _ in range(2)]
    assert [set(frame) for frame in frames] == [{"type", "event"}] * 2
    assert [frame["type"] for frame in frames] == ["event", "event"]
    assert [frame["event"] for frame in frames] == server.events(session_id)


def test_an_event_reaches_the_socket_as_it_was_written(server_bus: Bus, wire: Wire, session_id: str) -> None:
    """A number that is read and written again on the way could become another."""
    emit(server_bus, session_id, data={"big": 2**53 + 1, "small": 1e-7, "text": "\u2028é"})
    [event] = kept(server_bus, session_id)
    assert _says(wire) == '{"type":"event","event":' + event.wire.decode() + "}"


@pytest.mark.parametrize("said", ["ping", " ping\n"])
def test_a_text_ping_gets_a_bare_pong(wire: Wire, said: str) -> None:
    """A client of the first seed would take the connection for dead."""
    wire.send_frame(TEXT, said.encode())
    assert _says(wire) == "pong"


@pytest.mark.parametrize("said", ['{"type":"ping"}', '{ "type" : "ping", "id": 7 }'])
def test_a_json_ping_gets_a_json_pong(wire: Wire, said: str) -> None:
    """A client of the first seed would take the connection for dead."""
    wire.send_frame(TEXT, said.encode())
    assert json.loads(_says(wire))["type"] == "pong"


def test_a_ping_of_the_protocol_gets_its_own_words_back(wire: Wire) -> None:
    """A proxy between client and server would cut the connection."""
    for payload in (b"", b"are you there?", b"x" * 125):
        wire.send_frame(PING, payload)
        assert wire.frame() == (PONG, payload)


def test_anything_else_is_ignored(wire: Wire) -> None:
    """A client that says more than the server knows would be thrown out."""
    odd = ["hello", "", "{", "[1,2]", "null", '"ping"', '{"type":"token"}', '{"type":["ping"]}', "PING", "NaN"]
    odd += ["[" * 4_000, '{"type":"ping"', "{}", '{"ping":1}', "é" * 100, "\x00", '{"type":"chunk","text":"no"}']
    for said in odd:
        wire.send_frame(TEXT, said.encode())
    wire.send_frame(PONG, b"unasked")
    wire.send_frame(TEXT, b"ping")
    assert _says(wire) == "pong"


def test_a_frame_in_pieces_is_one_frame(wire: Wire) -> None:
    """A client behind a proxy that cuts frames would not be heard."""
    wire.send_frame(TEXT, b'{"type"', final=False)
    wire.send_frame(PING, b"between")
    assert wire.frame() == (PONG, b"between")
    wire.send_frame(CONTINUATION, b':"pi', final=False)
    wire.send_frame(CONTINUATION, b'ng"}')
    assert json.loads(_says(wire))["type"] == "pong"


def test_who_is_silent_is_told_that_the_feed_lives(hasty: Stack, session_id: str) -> None:
    """A client of the first seed would take a quiet feed for a dead one."""
    with Wire(hasty.url) as wire:
        assert wire.upgrade(f"/chat/ws/events/{session_id}").status == 101
        _says(wire)
        frame = json.loads(_says(wire))
    assert frame["type"] == "keepalive"
    assert _TIMESTAMP.fullmatch(frame["timestamp"])


def test_who_speaks_needs_no_sign_of_life(hasty: Stack, session_id: str) -> None:
    """A talkative client would get frames that it has no use for."""
    with Wire(hasty.url) as wire:
        assert wire.upgrade(f"/chat/ws/events/{session_id}").status == 101
        _says(wire)
        assert json.loads(_says(wire))["type"] == "keepalive"
        spoke = time.monotonic()
        wire.send_frame(TEXT, b"ping")
        while _says(wire) != "pong":
            pass
        assert json.loads(_says(wire))["type"] == "keepalive"
        assert time.monotonic() - spoke >= 0.99


def test_a_binary_frame_ends_the_feed(wire: Wire) -> None:
    """A client that speaks another protocol would not be told."""
    wire.send_frame(BINARY, b"\x00\x01")
    assert wire.closing_code() == 1003


def test_the_longest_frame_is_heard(wire: Wire) -> None:
    """A client within the limit would be thrown out."""
    wire.send_frame(TEXT, b'{"type":"ping"}'.ljust(4_096))
    assert json.loads(_says(wire))["type"] == "pong"


@pytest.mark.parametrize("payload", [b"x" * 4_097, b"x" * 60_000, "é".encode() * 2_100], ids=["4097", "60000", "bytes"])
def test_a_frame_that_is_too_long_ends_the_feed(wire: Wire, payload: bytes) -> None:
    """One client could fill the server's memory."""
    wire.send_frame(TEXT, payload)
    assert wire.closing_code() == 1009


def test_a_frame_in_too_many_pieces_ends_the_feed(wire: Wire) -> None:
    """One client could fill the server's memory, a little at a time."""
    wire.send_frame(TEXT, b"x" * 1_000, final=False)
    for _ in range(4):
        wire.send_frame(CONTINUATION, b"x" * 1_000, final=False)
    assert wire.closing_code() == 1009


def _memory(stack: Stack) -> int:
    processes = [psutil.Process(process.pid) for process in stack.processes.values()]
    return sum(one.memory_info().rss for process in processes for one in [process, *process.children()])


def _flood(wire: Wire, endless: bool) -> None:
    """Sends until the server has had enough."""
    try:
        wire.send_frame(TEXT, b"x", final=False)
        for _ in range(200):
            wire.send_frame(CONTINUATION if endless else TEXT, b"x" * 60_000, final=False)
        while True:
            wire.frame()
    except (OSError, EOFError):
        return


def test_a_frame_without_end_costs_little(server: Stack, wire: Wire) -> None:
    """One client could bring the server down by never coming to an end."""
    before = _memory(server)
    _flood(wire, endless=True)
    assert _memory(server) - before < 20_000_000


def test_compression_is_refused_although_offered(server: Stack, session_id: str) -> None:
    """A few hundred bytes could unpack to hundreds of megabytes in the server."""
    offer = "permessage-deflate; client_max_window_bits"
    with Wire(server.url) as wire:
        reply = wire.upgrade(f"/chat/ws/events/{session_id}", Sec_WebSocket_Extensions=offer)
        assert reply.status == 101
        assert "sec-websocket-extensions" not in reply.headers
        _says(wire)
        before = _memory(server)
        packer = zlib.compressobj(wbits=-15)
        bomb = packer.compress(bytes(64_000_000)) + packer.flush()
        head = struct.pack("!BBQ", 0xC1, 0x80 | 127, len(bomb))
        try:
            wire.socket.sendall(head + bytes(4) + bomb)
            while wire.frame()[0] != CLOSE:
                pass
        except (OSError, EOFError):
            pass
        assert _memory(server) - before < 20_000_000


BROKEN = {
    "not masked": b"\x81\x02hi",
    "no such opcode": b"\x83\x80" + bytes(4),
    "half a head": b"\x81\xfe\xff",
    "a ping that is too long": b"\x89\xfe\x00\x80" + bytes(132),
    "not UTF-8": b"\x81\x82" + bytes(4) + b"\xff\xfe",
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
def test_a_broken_frame_harms_nobody_else(
    server: Stack, server_bus: Bus, wire: Wire, session_id: str, sent: bytes
) -> None:
    """A broken client would take the feed away from its neighbours."""
    with Wire(server.url) as broken:
        broken.upgrade(f"/chat/ws/events/{session_id}")
        broken.socket.sendall(sent)
    [event_id] = emit(server_bus, session_id)
    assert json.loads(_says(wire))["event"]["id"] == event_id


def test_a_goodbye_is_answered(wire: Wire) -> None:
    """A client that closes in good order would report a fault to its user."""
    wire.send_frame(CLOSE, struct.pack("!H", 1000) + b"bye")
    assert wire.closing_code() == 1000
    with pytest.raises(EOFError):
        wire.frame()

"""RFC 6455 case by case, by a relay and by threads; every reply is judged by another library than the server's own."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator

import pytest
from websockets.frames import Opcode

from pipeline.bus import open_bus
from tests.parts.peer import Peer, closing, frame
from tests.parts.stack import Stack
from tests.relay.conftest import WAYS
from tests.web.site import emit

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = (
    Opcode.TEXT,
    Opcode.BINARY,
    Opcode.CONT,
    Opcode.CLOSE,
    Opcode.PING,
    Opcode.PONG,
)
JSON_PING = b'{"type":"ping","text":"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x97"}'


@pytest.fixture(params=WAYS)
def stack(request: pytest.FixtureRequest, shared: Callable[[str], Stack]) -> Stack:
    """A server that serves feeds in one way or the other."""
    return shared(str(request.param))


@pytest.fixture
def peer(stack: Stack, session_id: str) -> Iterator[Peer]:
    """A client that has been greeted."""
    with Peer(stack.url, session_id) as opened:
        assert json.loads(opened.text())["type"] == "connection"
        yield opened


def _is_heard(peer: Peer) -> bool:
    """Whether the connection still serves its client, and nothing unasked lies before the answer."""
    peer.send(frame(TEXT, b"ping"))
    while (said := peer.text()) != "pong":
        assert json.loads(said)["type"] == "keepalive"
    return True


def _pong(peer: Peer) -> bytes:
    while (found := peer.next()).opcode is not PONG:
        assert json.loads(bytes(found.data))["type"] == "keepalive"
    return bytes(found.data)


def _json_pong(peer: Peer) -> bool:
    while (kind := json.loads(peer.text())["type"]) == "keepalive":
        continue
    return bool(kind == "pong")


def test_compression_is_not_agreed_on(peer: Peer) -> None:
    """Without this a few hundred bytes could unpack to hundreds of megabytes in the server."""
    assert peer.response.status_code == 101
    assert "Sec-WebSocket-Extensions" not in peer.response.headers


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(JSON_PING) - 1])
def test_a_text_in_pieces_is_one_text(peer: Peer, size: int) -> None:
    """Without this a client whose library cuts texts, even in the middle of a letter, would not be heard."""
    pieces = [JSON_PING[at : at + size] for at in range(0, len(JSON_PING), size)]
    for place, piece in enumerate(pieces):
        peer.send(frame(CONTINUATION if place else TEXT, piece, final=place == len(pieces) - 1))
    assert _json_pong(peer)


def test_empty_pieces_are_pieces(peer: Peer) -> None:
    """Without this a client whose library ends a text with an empty piece would not be heard."""
    peer.send(frame(TEXT, final=False), frame(CONTINUATION, JSON_PING, final=False))
    peer.send(frame(CONTINUATION, final=False), frame(CONTINUATION))
    assert _json_pong(peer)
    peer.send(frame(TEXT))
    assert _is_heard(peer)


def test_control_frames_may_come_between_pieces(peer: Peer) -> None:
    """Without this a client that sends a sign of life in the middle of a text would be thrown out, or not answered."""
    peer.send(frame(TEXT, JSON_PING[:9], final=False), frame(PING, b"one"))
    assert _pong(peer) == b"one"
    peer.send(frame(PONG, b"unasked"), frame(PING, b"two"), frame(CONTINUATION, JSON_PING[9:]))
    assert _pong(peer) == b"two"
    assert _json_pong(peer)


def test_bytes_may_come_one_by_one(peer: Peer) -> None:
    """Without this a client behind a slow line would be thrown out, whose frames arrive in parts."""
    sent = frame(PING, b"in parts") + frame(TEXT, JSON_PING.ljust(130)) + frame(TEXT, JSON_PING[:20], final=False)
    for place in range(len(sent)):
        peer.send(sent[place : place + 1])
    assert _pong(peer) == b"in parts"
    assert _json_pong(peer)
    peer.send(frame(CONTINUATION, JSON_PING[20:]))
    assert _json_pong(peer)


@pytest.mark.parametrize("payload", [b"", b"\x00\xff\xfe", b"x" * 125], ids=["empty", "bytes", "longest"])
def test_a_ping_gets_its_own_words_back(peer: Peer, payload: bytes) -> None:
    """Without this a proxy between client and server would take the connection for dead."""
    peer.send(frame(PING, payload))
    assert _pong(peer) == payload


def test_many_pings_at_once_are_answered_in_order(peer: Peer) -> None:
    """Without this a client that measures its line would measure nonsense."""
    peer.send(*(frame(PING, b"%d" % number) for number in range(20)))
    assert [_pong(peer) for _ in range(20)] == [b"%d" % number for number in range(20)]


def test_a_pong_that_nobody_asked_for_is_left_alone(peer: Peer) -> None:
    """Without this a client that shows that it lives would be thrown out."""
    peer.send(frame(PONG), frame(PONG, b"x" * 125))
    assert _is_heard(peer)


BROKEN: dict[str, tuple[int, bytes]] = {
    "not masked": (1002, frame(TEXT, b"ping", masked=False)),
    "an empty frame, not masked": (1002, frame(TEXT, masked=False)),
    "a ping that is not masked": (1002, frame(PING, masked=False)),
    **{f"reserved bits {bits}": (1002, frame(TEXT, b"ping", reserved=bits)) for bits in (1, 2, 4, 7)},
    "a reserved bit on a ping": (1002, frame(PING, b"x", reserved=4)),
    **{f"opcode {opcode}": (1002, frame(opcode, b"x")) for opcode in (3, 7, 11, 15)},
    "a ping that is too long": (1002, frame(PING, b"x" * 126)),
    "a goodbye that is too long": (1002, closing(1000, b"x" * 124)),
    "a ping in pieces": (1002, frame(PING, b"x", final=False)),
    "a goodbye in pieces": (1002, frame(CLOSE, b"\x03\xe8", final=False)),
    "a piece of nothing": (1002, frame(CONTINUATION, b"x")),
    "a piece of nothing, not the last": (1002, frame(CONTINUATION, b"x", final=False)),
    "a text within a text": (1002, frame(TEXT, b"a", final=False) + frame(TEXT, b"b")),
    "bytes within a text": (1002, frame(TEXT, b"a", final=False) + frame(BINARY, b"b")),
    "a length of two bytes without need": (1002, b"\x81\xfe\x00\x04" + bytes(4) + b"ping"),
    "a length of eight bytes without need": (1002, b"\x81\xff" + struct.pack("!Q", 4) + bytes(4) + b"ping"),
    "a length below zero": (1002, b"\x81\xff" + struct.pack("!Q", 1 << 63) + bytes(4)),
    "half a close code": (1002, frame(CLOSE, b"\x03")),
    "not UTF-8": (1007, frame(TEXT, b"\xff\xfe")),
    "UTF-8 that is too long": (1007, frame(TEXT, b"\xc0\xaf")),
    "half a pair": (1007, frame(TEXT, b"\xed\xa0\x80")),
    "beyond the last letter": (1007, frame(TEXT, b"\xf4\x90\x80\x80")),
    "half a letter": (1007, frame(TEXT, b"x\xe2\x82")),
    "half a letter in the last piece": (1007, frame(TEXT, b"\xe2", final=False) + frame(CONTINUATION, b"\x82")),
    "a wrong byte before the end": (1007, frame(TEXT, b"abc\xff", final=False)),
    "a reason that is not UTF-8": (1007, closing(1000, b"\xff")),
    "bytes": (1003, frame(BINARY, b"\x00\x01")),
    "no bytes": (1003, frame(BINARY)),
    "bytes in pieces": (1003, frame(BINARY, b"\x00", final=False)),
    "a long text": (1009, frame(TEXT, b"x" * 4_097)),
    "a text that would be huge": (1009, b"\x81\xff" + struct.pack("!Q", 1 << 40) + bytes(4) + b"x" * 9_000),
    "a long text in pieces": (
        1009,
        frame(TEXT, b"x" * 2_048, final=False) + frame(CONTINUATION, b"x" * 2_049, final=False),
    ),
    "a long text of letters": (1009, frame(TEXT, "é".encode() * 2_049)),
    "a long text in many pieces": (
        1009,
        frame(TEXT, b"x", final=False) + frame(CONTINUATION, b"x" * 128, final=False) * 32,
    ),
    "a long text in more pieces than a client may send": (
        4429,
        frame(TEXT, b"x", final=False) + frame(CONTINUATION, b"x", final=False) * 4_096,
    ),
    **{
        f"the close code {code}": (1002, closing(code))
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}


@pytest.mark.parametrize(("code", "sent"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_rules_is_answered_by_its_code(peer: Peer, code: int, sent: bytes) -> None:
    """Without this a developer of a client would not learn what is wrong with it."""
    # What follows must not be answered any more: the connection is over.
    peer.send(sent, frame(TEXT, b"ping"), frame(PING, b"late"))
    told, before = peer.ending()
    assert told == code
    assert before == []


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
def test_a_goodbye_is_answered_by_the_same_code(peer: Peer, code: int) -> None:
    """Without this a client that goes in good order would report a fault to its user."""
    peer.send(closing(code, "até já".encode()), frame(TEXT, b"ping"))
    assert peer.ending() == (code, [])


def test_a_goodbye_without_a_code_is_answered(peer: Peer) -> None:
    """Without this a client that just goes would wait for an answer."""
    peer.send(frame(CLOSE))
    assert peer.ending() == (1005, [])


def test_a_goodbye_in_the_middle_of_a_text_is_answered(peer: Peer) -> None:
    """Without this a client that is closed while it speaks would wait for an answer."""
    peer.send(frame(TEXT, b"half a", final=False), closing(1001))
    assert peer.ending() == (1001, [])


def test_an_event_of_any_length_comes_whole(peer: Peer, stack: Stack, session_id: str) -> None:
    """Without this a frame at one of the three forms of its length would break the connection."""
    bus = open_bus(stack.settings())
    sizes = [0, 1, 60_000, 70_000, 200_000]
    for size in sizes:
        emit(bus, session_id, data={"text": "x" * size})
    bus.close_connections()
    told = []
    while len(told) < len(sizes):
        message = json.loads(peer.text())
        if message["type"] == "event":
            told.append(len(message["event"]["event_data"]["text"]))
    assert told == sizes
    assert _is_heard(peer)

"""The texts of the WebSocket feed: what a client is sent, word for word as the seed's clients know it."""

from __future__ import annotations

import datetime
import struct
from typing import Any

from pipeline.event import Event, encode

TEXT = 0x1
CLOSE = 0x8
PONG = 0xA
NORMAL = 1000
NOT_TEXT = 1003
TOO_BIG = 1009
RESTART = 1012
TOO_SLOW = 1013


def now_text() -> str:
    """The present as a timestamp."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole, unmasked frame (RFC 6455, 5.2)."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, length)
    elif length < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, 126, length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, length)
    return head + payload


def text(payload: bytes) -> bytes:
    """A text frame."""
    return frame(TEXT, payload)


def json_text(value: dict[str, Any]) -> bytes:
    """A text frame with JSON."""
    return text(encode(value))


def close(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut to what fits."""
    return frame(CLOSE, struct.pack("!H", code) + reason.encode()[:120])


def event(wire: bytes) -> bytes:
    """An event's frame, around the bytes that were announced."""
    return text(b'{"type":"event","event":' + wire + b"}")


def connected(session_id: str, epoch: str, last_id: int) -> bytes:
    """The first frame."""
    return json_text(
        {
            "type": "connection",
            "status": "connected",
            "session_id": session_id,
            "timestamp": now_text(),
            "message": "🔗 Connected to real-time event stream",
            "epoch": epoch,
            "last_id": last_id,
        }
    )


def hello(after: int, epoch: str) -> bytes:
    """Names the id that is really resumed from."""
    return json_text({"type": "hello", "after": after, "epoch": epoch})


def reset(reason: str, epoch: str, last_id: int) -> bytes:
    """Says that the client's cursor is worth nothing: forget what is known, everything that is kept follows."""
    return json_text({"type": "reset", "reason": reason, "epoch": epoch, "last_id": last_id})


def bus(away: bool) -> bytes:
    """Says that the server has lost its event bus, or has it again: what was accepted waits there meanwhile."""
    return json_text({"type": "bus", "status": "away" if away else "back", "timestamp": now_text()})


def keepalive() -> bytes:
    """Sent when the client has been silent."""
    return json_text({"type": "keepalive", "timestamp": now_text()})


def answer_so_far(message_id: str, attempt: int, text_so_far: str) -> bytes:
    """The answer's text so far, for a client that comes late."""
    return json_text({"type": "answer", "message_id": message_id, "attempt": attempt, "text": text_so_far, "offset": 0})


def events(found: list[Event]) -> bytes:
    """Several events' frames."""
    return b"".join(event(one.wire) for one in found)

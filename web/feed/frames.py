"""WebSocket frames as a server sends them (RFC 6455, 5.2)."""

from __future__ import annotations

import struct

TEXT = 0x1
CLOSE = 0x8
PING = 0x9
PONG = 0xA
NORMAL = 1000
NOT_TEXT = 1003
TOO_BIG = 1009
RESTART = 1012
TOO_SLOW = 1013
EXPIRED = 4401
TOO_MANY = 4429
_EVENT = b'{"type":"event","event":'
_EVENT_BYTES = len(_EVENT) + len(b"}")
_EVENT_HEAD = bytes((0x80 | TEXT, 126))


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole, unmasked frame."""
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


def close(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut to what fits."""
    return frame(CLOSE, struct.pack("!H", code) + reason.encode()[:120])


def event(wire: bytes) -> bytes:
    """An event's frame, around the bytes that were announced."""
    length = len(wire) + _EVENT_BYTES
    if 126 <= length < 65_536:
        # Nearly all are of this size, and each is written once for each session that is read.
        return b"".join((_EVENT_HEAD, length.to_bytes(2), _EVENT, wire, b"}"))
    return text(_EVENT + wire + b"}")


PING_FRAME = frame(PING, b"")


def is_pong(data: bytes) -> bool:
    """Whether these bytes are one whole pong of a client, and nothing else."""
    return len(data) >= 6 and data[0] == 0x80 | PONG and data[1] & 0x80 != 0 and len(data) == 6 + (data[1] & 0x7F)

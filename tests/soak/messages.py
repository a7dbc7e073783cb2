"""What servers send, from bytes: HTTP heads, WebSocket frames, Server-Sent Events. No I/O, nothing of Spanfeed's."""

from __future__ import annotations

import struct
from collections.abc import Iterator

TEXT, CLOSE = 0x1, 0x8
Message = tuple[str, bytes]
"""A kind and a body: `json` (a WebSocket's text), `close`, or a stream's message by its name, and `id` before it."""


def head(buffer: bytearray) -> tuple[int, dict[bytes, bytes]] | None:
    """Takes an HTTP head out of the buffer: status and headers; None while it is not whole."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = bytes(buffer[:end]).split(b"\r\n")
    del buffer[: end + 4]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    return int(first.split()[1]), headers


def frames(buffer: bytearray) -> Iterator[Message]:
    """Takes whole frames out of the buffer. Raises ValueError for what a server must not send."""
    while len(buffer) >= 2:
        first, length, start = buffer[0], buffer[1], 2
        if first & 0x70 or not first & 0x80 or length & 0x80 or first & 0x0F not in {TEXT, CLOSE}:
            raise ValueError(f"a frame begins with {bytes(buffer[:2]).hex()}")
        if length > 125:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return
        body = bytes(buffer[start : start + length])
        del buffer[: start + length]
        if first & 0x0F == CLOSE:
            yield "close", body
        else:
            yield "json", body


def stream(buffer: bytearray) -> Iterator[Message]:
    """Takes whole messages of a stream out of the buffer; an id comes as a message before its data."""
    while (end := buffer.find(b"\n\n")) >= 0:
        lines = bytes(buffer[:end]).split(b"\n")
        del buffer[: end + 2]
        fields = dict(line.split(b": ", 1) for line in lines if line and not line.startswith(b":"))
        if b"id" in fields:
            yield "id", fields[b"id"]
        if b"data" in fields:
            yield fields.get(b"event", b"message").decode(), fields[b"data"]


def masked_close(code: int) -> bytes:
    """A client's goodbye."""
    return struct.pack("!BB", 0x80 | CLOSE, 0x82) + bytes(4) + struct.pack("!H", code)

"""A WebSocket client that does next to nothing, so that what is measured is the server."""

from __future__ import annotations

import base64
import os
import socket
import struct
from collections.abc import Mapping

_READ_BYTES = 262_144
_TEXT = 0x1


class FeedReader:
    """A connection to `path` on 127.0.0.1. Reading raises TimeoutError after `wait_seconds` of silence."""

    def __init__(self, port: int, path: str, headers: Mapping[str, str], wait_seconds: float = 20.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=wait_seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._shake_hands(port, path, headers)

    def _shake_hands(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.partition(b"\r\n")[0].decode())
        self._buffer = bytearray(rest)

    def _read(self) -> None:
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the server has closed the feed")
        self._buffer += data

    def next(self) -> bytes:
        """The next text."""
        while True:
            frame = self._frame()
            if frame is None:
                self._read()
            elif frame[0] == _TEXT:
                return frame[1]

    def _frame(self) -> tuple[int, bytes] | None:
        """The first whole frame in the buffer: its opcode and payload. A server's frames are not masked."""
        if len(self._buffer) < 2:
            return None
        length, start = self._buffer[1] & 0x7F, 2
        for mark, code in ((126, "!H"), (127, "!Q")):
            if length == mark:
                start += struct.calcsize(code)
                if len(self._buffer) < start:
                    return None
                length = struct.unpack_from(code, self._buffer, 2)[0]
                break
        if len(self._buffer) < start + length:
            return None
        opcode, payload = self._buffer[0] & 0x0F, bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        return opcode, payload

    def close(self) -> None:
        """Ends the connection without a goodbye."""
        self.socket.close()

"""A bare socket to the web server: for requests and frames that a well-behaved client would never send."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import struct
from typing import Any
from urllib.parse import urlsplit

from tests.parts.stack import KEY

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
_DEADLINE_SECONDS = 30.0


@dataclasses.dataclass
class Reply:
    """The head of an HTTP reply, and its body where there is one."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Wire:
    """One connection to the server at `url`."""

    def __init__(self, url: str, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(_DEADLINE_SECONDS)
        self.socket.connect((parts.hostname, parts.port))
        self._buffer = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def request(self, method: str, path: str, headers: dict[str, str | None], body: bytes = b"") -> Reply:
        """Sends a request as it stands (a header that is None is left out) and reads the reply."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return self._reply(method)

    def upgrade(self, path: str, key: str | None = KEY, **headers: str | None) -> Reply:
        """Asks for a WebSocket; underscores in the names of headers stand for hyphens."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", path, {"X-API-Key": key, **HANDSHAKE, **given})

    def _reply(self, method: str) -> Reply:
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
        return Reply(int(first.split()[1]), headers, self._exactly(length))

    def wait_for(self, said: bytes) -> None:
        """Waits until the server has said so; nothing is taken."""
        while said not in self._buffer:
            self._more()

    def rest(self) -> bytes:
        """Takes what has come and was not read."""
        taken, self._buffer = self._buffer, b""
        return taken

    def _more(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError
        self._buffer += data

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def send_frame(self, opcode: int, payload: bytes, final: bool = True) -> None:
        """Sends one masked frame."""
        length, mask = len(payload), os.urandom(4)
        head = struct.pack("!B", (0x80 if final else 0) | opcode)
        if length < 126:
            head += struct.pack("!B", 0x80 | length)
        elif length < 65_536:
            head += struct.pack("!BH", 0x80 | 126, length)
        else:
            head += struct.pack("!BQ", 0x80 | 127, length)
        covered = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        self.socket.sendall(head + mask + covered)

    def frame(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload. Raises EOFError when the server is gone."""
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack("!H", self._exactly(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._exactly(8))[0]
        assert first & 0x70 == 0, "a reserved bit is set: was the frame compressed?"
        return first & 0x0F, self._exactly(length)

    def closing_code(self) -> int:
        """Reads frames up to the closing one and gives its code."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0])

"""A WebSocket client that sends whatever bytes it is given, and has all replies read and judged by `websockets`."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from tests.parts.stack import KEY

_DEADLINE_SECONDS = 20.0
_LAST_BYTES = 1_000


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """A frame as it is described, right or wrong. `reserved`: the three bits."""
    first = (0x80 if final else 0) | reserved << 4 | opcode
    mark = 0x80 if masked else 0
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", first, mark | length)
    elif length < 65_536:
        head = struct.pack("!BBH", first, mark | 126, length)
    else:
        head = struct.pack("!BBQ", first, mark | 127, length)
    if not masked:
        return head + payload
    mask = b"\x11\x22\x33\x44"
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def closing(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(Opcode.CLOSE, struct.pack("!H", code) + reason)


class Peer:
    """A connection on a session's feed whose handshake is done; what the server then says is judged as it comes."""

    def __init__(self, url: str, session_id: str, query: str = "", receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        uri = parse_uri(f"ws://{parts.netloc}/chat/ws/events/{session_id}{query}")
        self._protocol = ClientProtocol(uri, extensions=[ClientPerMessageDeflateFactory()], max_size=None)
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(_DEADLINE_SECONDS)
        self.socket.connect((parts.hostname, parts.port))
        request = self._protocol.connect()
        request.headers["X-API-Key"] = KEY
        self._protocol.send_request(request)
        self.socket.sendall(b"".join(self._protocol.data_to_send()))
        self._last = b""
        """What the server said last, as it came."""
        self._events = self._read()
        response = next(self._events)
        assert isinstance(response, Response)
        self.response = response

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def _read(self) -> Iterator[Response | Frame]:
        while True:
            try:
                data = self.socket.recv(65_536)
            except ConnectionResetError:
                data = b""
            if not data:
                return
            self._last = (self._last + data)[-_LAST_BYTES:]
            self._protocol.receive_data(data)
            # A server that breaks the protocol is found here, by a library that is not its own.
            assert self._protocol.parser_exc is None or isinstance(self._protocol.parser_exc, EOFError)
            assert self._protocol.handshake_exc is None, self._protocol.handshake_exc
            yield from self._protocol.events_received()  # type: ignore[misc]

    def send(self, *pieces: bytes) -> None:
        """Sends bytes as they are."""
        self.socket.sendall(b"".join(pieces))

    def next(self) -> Frame:
        """The next frame. Raises StopIteration at the connection's end."""
        found = next(self._events)
        assert isinstance(found, Frame)
        return found

    def text(self) -> str:
        """The next text, pongs left out."""
        while (found := self.next()).opcode is Opcode.PONG:
            continue
        assert found.opcode is Opcode.TEXT, found
        return bytes(found.data).decode()

    def ending(self) -> tuple[int | None, list[Frame]]:
        """The close frame's code (None without one) and what came before it, read to the connection's end."""
        before = [one for one in self._events if isinstance(one, Frame)]
        if not before or before[-1].opcode is not Opcode.CLOSE:
            return None, before
        data = bytes(before[-1].data)
        # Nothing may follow the last words; the library leaves that to us.
        assert self._last.endswith(frame(Opcode.CLOSE, data, masked=False)), self._last
        return (struct.unpack("!H", data[:2])[0] if data else 1005), before[:-1]

"""Many clients of a relay whose sockets are handed over as a web process does it, without the web process."""

from __future__ import annotations

import json
import re
import resource
import selectors
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from websockets.frames import Opcode

from pipeline.settings import Settings
from tests.parts.peer import frame
from web.access import Rights
from web.feed.seats import Claim
from web.feed.transports import BY_NAME
from web.feed.wish import EVERYTHING, Wish
from web.handover import Relays

_APPLICATION = Rights("key:test")
_SSE_MESSAGE = re.compile(rb"(?:event: (?P<name>[a-z_]+)\n|id: (?P<id>\d+)\n)?data: (?P<data>.*)")


class Listener:
    """The client's end of one feed; what comes is kept as it came."""

    def __init__(self, sock: socket.socket, wish: Wish) -> None:
        self.socket = sock
        self.wish = wish
        self.heard = bytearray()
        self.ended = False
        self._read = 0
        """So many bytes of `heard` are in `messages`."""
        self.messages: list[dict[str, Any]] = []
        self.close_code: int | None = None

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events so far."""
        return [one["event"] for one in self.messages if one["type"] == "event"]

    def ids(self, session_id: str | None = None) -> list[int]:
        """The ids of a session's events, of the feed's own when none is given."""
        name = session_id or self.wish.session_id
        return [event["id"] for event in self.events if event["session_id"] == name]

    def say(self, message: dict[str, Any]) -> None:
        """Sends a message."""
        self.socket.sendall(frame(Opcode.TEXT, json.dumps(message).encode()))

    def receive(self) -> None:
        """Takes what is there."""
        try:
            data = self.socket.recv(1_048_576)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        self.ended = not data
        self.heard += data
        self._understand_stream() if self.wish.transport == "sse" else self._understand_frames()

    def _understand_frames(self) -> None:
        heard, place = self.heard, self._read
        while len(heard) >= place + 2:
            head, length = 2, heard[place + 1]
            assert heard[place] in {0x81, 0x88, 0x89}, f"no frame begins with {bytes(heard[place : place + 20])!r}"
            if length >= 126:
                head = 4 if length == 126 else 10
                if len(heard) < place + head:
                    break
                length = int.from_bytes(heard[place + 2 : place + head])
            if len(heard) < place + head + length:
                break
            payload = bytes(heard[place + head : place + head + length])
            if heard[place] == 0x88:
                self.close_code = struct.unpack("!H", payload[:2])[0]
            elif heard[place] == 0x81:
                self.messages.append({"type": "pong"} if payload == b"pong" else json.loads(payload))
            place += head + length
        self._read = place

    def _understand_stream(self) -> None:
        while (end := self.heard.find(b"\n\n", self._read)) >= 0:
            block = bytes(self.heard[self._read : end])
            if block.startswith(b"HTTP/1.1"):
                # The head ends with an empty line of its own kind.
                assert b"200 OK" in block
                block = block.partition(b"\r\n\r\n")[2]
            self._read = end + 2
            found = _SSE_MESSAGE.fullmatch(block)
            if found is None:
                assert block.startswith((b":", b"retry: ")), block
            elif found["name"] is None:
                self.messages.append({"type": "event", "event": json.loads(found["data"])})
                assert self.messages[-1]["event"]["id"] == int(found["id"])
            else:
                self.messages.append(json.loads(found["data"]))


class Audience:
    """All of them, read by one loop."""

    def __init__(self, settings: Settings) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._relays = Relays(settings)
        self._selector = selectors.DefaultSelector()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.all: list[Listener] = []

    def sit(
        self,
        session_id: str,
        transport: str = "ws",
        receive_buffer: int | None = None,
        rights: Rights = _APPLICATION,
        **more: Any,
    ) -> Listener:
        """Opens a feed; `more` are fields of its wish. It is read by the loop unless `receive_buffer` is given."""
        client = socket.socket()
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.connect(self._door.getsockname())
        server, _ = self._door.accept()
        fields = {"after": None, "epoch": None, "filters": EVERYTHING} | more
        wish = Wish(session_id, transport=BY_NAME[transport].name, **fields)
        seat = self._relays.seat(Claim(session_id, "", "", transport))
        assert seat is not None
        assert seat.give(server, wish, rights, b"")
        server.close()
        listener = Listener(client, wish)
        self.all.append(listener)
        if receive_buffer is None:
            self.read(listener)
        return listener

    def read(self, listener: Listener) -> None:
        """Has the loop read it from now on."""
        listener.socket.setblocking(False)
        self._selector.register(listener.socket, selectors.EVENT_READ, listener)

    def turn(self, seconds: float = 0.05) -> None:
        """Reads what comes."""
        for key, _ in self._selector.select(seconds):
            key.data.receive()
            if key.data.ended:
                self._selector.unregister(key.fileobj)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Reads until something holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come true within {seconds:g} s"
            self.turn()

    def close(self) -> None:
        """Ends all."""
        self._selector.close()
        self._door.close()
        for listener in self.all:
            listener.socket.close()

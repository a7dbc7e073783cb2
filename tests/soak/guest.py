"""One visit of a client: a connection of its own over one of the three transports, left whenever it likes."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import socket
import struct
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import orjson

from tests.parts.stack import KEY
from tests.soak import messages
from tests.soak.life import Life

TRANSPORTS = ("ws", "sse", "poll")
_PATHS = {"ws": "/chat/ws/events/{}", "sse": "/chat/events/{}/stream", "poll": "/chat/events/{}"}
_UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
_HEAD_SECONDS = 20.0
_PAGES = ("20", "100", "500")


@dataclasses.dataclass(frozen=True)
class Manners:
    """How a visit is made. `goal`: it ends once the client knows this event; None: when `stay_seconds` are over."""

    transport: str
    stay_seconds: float
    dice: random.Random
    joined: Callable[[str], None]
    started_at: float
    goal: int | None = None


class Guest(asyncio.Protocol):
    """The connection; `over` is done when it has ended. `status` is 0 while the server has not answered."""

    def __init__(self, life: Life, manners: Manners) -> None:
        self._life = life
        self._manners = manners
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        self.status = 0
        self._buffer = bytearray()
        self._expected = 0
        """How long a page is whose head has come; 0: a head is next."""
        self._left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = self._loop.call_later(_HEAD_SECONDS, self._leave)
        self._ask()

    def connection_lost(self, _: Exception | None) -> None:
        """Is over."""
        self._timer.cancel()
        self._left = True
        if not self.over.done():
            self.over.set_result(None)

    def _ask(self) -> None:
        life, name = self._life, self._manners.transport
        query: list[tuple[str, Any]] = [*life.filters]
        headers = _UPGRADE if name == "ws" else ""
        if life.cursor is not None:
            if name == "sse" and self._manners.dice.random() < 0.5:
                headers += f"Last-Event-ID: {life.cursor}\r\n"
            else:
                query.append(("after", life.cursor))
            if life.epoch is not None:
                query.append(("epoch", life.epoch))
        if name == "poll":
            query.append(("limit", self._manners.dice.choice(_PAGES)))
        path = _PATHS[name].format(life.session_id)
        head = f"GET {path}?{urlencode(query)} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n{headers}\r\n"
        self._transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        """Takes what it is told."""
        if self._left:
            return
        self._buffer += data
        try:
            if self._manners.transport == "poll":
                self._read_pages()
            elif self.status or self._read_head():
                self._read_feed()
        except (ValueError, KeyError, UnicodeDecodeError) as error:
            self._life.wrong.append(f"{type(error).__name__}: {error} in a {self._manners.transport} visit")
            self._leave()

    def _read_head(self) -> bool:
        """Takes the head of a reply; False when there is none yet, or when it is a refusal."""
        found = messages.head(self._buffer)
        if found is None:
            return False
        again = self.status != 0
        self.status, headers = found
        if self.status != (101 if self._manners.transport == "ws" else 200):
            self._leave()
            return False
        self._expected = int(headers.get(b"content-length", b"0"))
        if not again:
            self._life.join(self._manners.transport, time.monotonic() - self._manners.started_at)
            self._manners.joined(self._manners.transport)
            self._timer.cancel()
            self._timer = self._loop.call_later(self._manners.stay_seconds, self._leave)
            self._leave_when_done()
        return not self._left

    def _read_feed(self) -> None:
        read = messages.frames if self._manners.transport == "ws" else messages.stream
        told_id = b""
        for kind, body in read(self._buffer):
            if kind == "id":
                told_id = body
            elif kind == "close":
                self._leave()
            else:
                self._hear(kind, orjson.loads(body), told_id)
            if self._left:
                return

    def _hear(self, kind: str, value: Any, told_id: bytes) -> None:
        if kind == "message":
            if int(told_id) != value["id"]:
                raise ValueError(f"event {value['id']} came under the id {told_id!r}")
            self._note(value)
        elif value["type"] == "event":
            self._note(value["event"])
        else:
            self._life.hear(value)

    def _note(self, event: dict[str, Any]) -> None:
        self._life.note(event)
        self._leave_when_done()

    def _leave_when_done(self) -> None:
        goal = self._manners.goal
        if goal is not None and self._life.cursor is not None and self._life.cursor >= goal:
            self._leave()

    def _read_pages(self) -> None:
        while not self._left:
            if not self._expected and not self._read_head():
                return
            if len(self._buffer) < self._expected:
                return
            page = orjson.loads(self._buffer[: self._expected])
            del self._buffer[: self._expected]
            self._expected = 0
            if "reset" in page:
                self._life.hear({"type": "reset", "reason": page["reason"]})
            self._life.epoch = page["epoch"] or self._life.epoch
            for event in page["events"]:
                self._note(event)
            if not self._left:
                (self._ask if page["has_more"] else self._leave)()

    def _leave(self) -> None:
        """Goes in good order, without a word, or as if its cable had been cut."""
        if self._left:
            return
        self._left = True
        how = self._manners.dice.random()
        sock = self._transport.get_extra_info("socket")
        if how < 0.3:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how < 0.6 and self._manners.transport == "ws" and self.status == 101:
            self._transport.write(messages.masked_close(1000))
        self._transport.abort()

"""Clients that come back until the end, with what they have: over WebSocket and by polling."""

from __future__ import annotations

import logging
import random
import threading
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.faults.journal import ClientLog, Piece, Told
from tests.faults.options import KEY
from tests.faults.world import World
from tests.parts.stack import NO_TLS

_OPEN_SECONDS = 6.0
_PING_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_POLL_SECONDS = 0.4
_HEADERS = {"X-API-Key": KEY}
# The library tells of every connection that breaks: here they all do.
_SILENT = logging.getLogger("tests.faults.clients")
_SILENT.disabled = True


class Client(threading.Thread):
    """Follows one session, through either web server, until it is told to stop."""

    def __init__(self, world: World, name: str, session_id: str, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.log = ClientLog(name, session_id)
        self.caught: list[str] = []
        """Errors of its own making: there must be none."""
        self._world = world
        self._rng = random.Random(f"{name}/{seed}")
        self._epoch: str | None = None
        self._over = threading.Event()

    def stop(self) -> None:
        """Ends it soon."""
        self._over.set()

    def run(self) -> None:
        """Connects again and again; each time to a server chosen anew."""
        while not self._over.is_set():
            proxy = self._rng.choice(self._world.web_proxies)
            try:
                self.log.connections += 1
                self.follow(f"127.0.0.1:{proxy.port}")
            except (OSError, EOFError, WebSocketException, httpx.HTTPError, TimeoutError):
                pass
            except Exception as error:
                self.caught.append(repr(error))
            self._over.wait(self._rng.uniform(0.1, 0.4))

    def follow(self, address: str) -> None:
        """Reads from one server for as long as that goes well."""
        raise NotImplementedError

    def query(self) -> dict[str, Any]:
        """The cursor, and the epoch that it belongs to."""
        known = {} if self._epoch is None else {"epoch": self._epoch}
        return {"after": self.log.cursor, **known}


class SocketClient(Client):
    """Over WebSocket."""

    def follow(self, address: str) -> None:
        """Reads frames until the connection ends."""
        url = f"ws://{address}/chat/ws/events/{self.log.session_id}?{urlencode(self.query())}"
        with connect(
            url,
            additional_headers=_HEADERS,
            open_timeout=_OPEN_SECONDS,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PING_SECONDS,
            close_timeout=0.2,
            max_size=None,
            proxy=None,
            logger=_SILENT,
            legacy=True,
        ) as socket:
            while not self._over.is_set():
                try:
                    text = socket.recv(timeout=_LOOK_SECONDS)
                except TimeoutError:
                    continue
                self._hear(orjson.loads(text))

    def _hear(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "connection":
                # A cursor of another epoch is answered with a reset, so from now on it is this one's.
                self._epoch = frame["epoch"]
            case "reset":
                self.log.reset(frame["reason"])
                self._epoch = frame["epoch"]
            case "event":
                self.log.events.append(Told.from_fields(frame["event"]))
            case "chunk" | "answer" as kind:
                self.log.pieces.append(
                    Piece(frame["message_id"], frame["attempt"], frame["offset"], frame["text"], kind == "answer")
                )


class PollClient(Client):
    """By polling."""

    def follow(self, address: str) -> None:
        """Asks for what is new until that fails."""
        with httpx.Client(base_url=f"http://{address}", headers=_HEADERS, timeout=_OPEN_SECONDS, verify=NO_TLS) as http:
            while not self._over.is_set():
                reply = http.get(f"/chat/events/{self.log.session_id}", params={**self.query(), "limit": 200})
                if reply.status_code != 200:
                    return
                self._read(reply.json())
                self._over.wait(_POLL_SECONDS)

    def _read(self, page: dict[str, Any]) -> None:
        if page.get("reset"):
            self.log.reset(page["reason"])
        self._epoch = page["epoch"] or self._epoch
        self.log.events += [Told.from_fields(event) for event in page["events"]]


class Passer(Client):
    """One of a storm: connects once with a cursor, waits until it has what was there, and goes.

    It tries again only until the first frame has come.
    """

    def __init__(self, world: World, name: str, session_id: str, after: int, seed: int) -> None:
        super().__init__(world, name, session_id, seed)
        self.log.after = after
        self.log.resumes = False

    def follow(self, address: str) -> None:
        """Connects, and reads up to the newest id of that moment that its session can have."""
        url = f"ws://{address}/chat/ws/events/{self.log.session_id}?after={self.log.after}"
        with connect(
            url,
            additional_headers=_HEADERS,
            open_timeout=_OPEN_SECONDS,
            ping_interval=None,
            close_timeout=0.2,
            max_size=None,
            proxy=None,
            logger=_SILENT,
            legacy=True,
        ) as socket:
            self._over.set()
            while True:
                frame = orjson.loads(socket.recv(timeout=_LOOK_SECONDS))
                if frame["type"] == "reset":
                    self.log.reset(frame["reason"])
                elif frame["type"] == "event":
                    self.log.events.append(Told.from_fields(frame["event"]))
                    self.log.upto = self.log.events[-1].id

"""Clients that wander between WebSocket and stream while servers come and go get each event exactly once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import WebSocketException

from pipeline.bus import Bus
from tests.parts.feed_client import FeedClient
from tests.parts.stack import KEY, Stack
from tests.parts.stream_client import StreamClient
from tests.parts.waiting import wait_for
from tests.web.site import emit

EVENTS = 1_200
CLIENTS = 4
_LEAVES_AFTER = 150


class Wanderer(threading.Thread):
    """A client that leaves after some events, comes back by the other transport, and notes each `seq`."""

    def __init__(self, url: str, session_id: str, turn: int) -> None:
        super().__init__(daemon=True)
        self._url, self._session_id, self._turn = url, session_id, turn
        self._last_id = 0
        self.seen: list[int] = []

    def run(self) -> None:
        """Reads until it has the last event."""
        deadline = time.monotonic() + 90
        while not self._is_done and time.monotonic() < deadline:
            self._turn += 1
            try:
                for event in self._by_stream() if self._turn % 2 else self._by_websocket():
                    self.seen.append(event["seq"])
                    self._last_id = event["id"]
                    if self._is_done or len(self.seen) % _LEAVES_AFTER == 0:
                        break
            except (OSError, EOFError, WebSocketException, AssertionError):
                # Whoever served it is gone, or not there yet.
                time.sleep(0.05)

    @property
    def _is_done(self) -> bool:
        return bool(self.seen) and self.seen[-1] >= EVENTS

    def _by_stream(self) -> Iterator[dict[str, Any]]:
        with StreamClient(self._url, self._session_id, KEY, str(self._last_id)) as client:
            while True:
                message = client.next()
                if message.name == "message":
                    yield message.json

    def _by_websocket(self) -> Iterator[dict[str, Any]]:
        client = FeedClient(self._url, self._session_id, KEY, after=self._last_id)
        # It goes as telephones go: without waiting for an answer to its goodbye.
        client.socket.close_timeout = 0.1
        try:
            while True:
                frame = client.next()
                if frame["type"] == "event":
                    yield frame["event"]
        finally:
            client.socket.close()


def test_who_wanders_between_transports_gets_each_event_once(relayed: Stack, relayed_bus: Bus, session_id: str) -> None:
    """Without this an event would be missing, or come twice, wherever a server dies or a client comes back."""
    wanderers = [Wanderer(relayed.url, session_id, turn) for turn in range(CLIENTS)]
    written: list[int] = []

    def write() -> None:
        for _ in range(EVENTS):
            written.extend(emit(relayed_bus, session_id, 1))
            time.sleep(0.002)

    writing = threading.Thread(target=write, daemon=True)
    for thread in (writing, *wanderers):
        thread.start()
    for share, (name, number) in enumerate(
        [("relay", signal.SIGKILL), ("web", signal.SIGTERM), ("relay", signal.SIGTERM)], start=1
    ):
        wait_for(lambda goal=share * EVENTS // 4: len(written) >= goal, "more events", 60)  # type: ignore[misc]
        relayed.stop(name, number)
        if name == "relay":
            relayed.start_relay()
        else:
            relayed.start_web()
    for thread in (writing, *wanderers):
        thread.join(90)
    for wanderer in wanderers:
        assert wanderer.seen == list(range(1, EVENTS + 1))

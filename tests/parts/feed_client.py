"""A plain WebSocket client of the feed, which keeps every frame."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from websockets.sync.client import ClientConnection, connect

Frame = dict[str, Any]


class FeedClient:
    """A connection; frames are read when they are asked for, and kept in `frames`."""

    def __init__(self, url: str, session_id: str, key: str | None, **query: Any) -> None:
        address = url.replace("http", "ws", 1) + f"/chat/ws/events/{session_id}"
        if query:
            address += "?" + urlencode(query, doseq=True)
        headers = {"X-API-Key": key} if key else {}
        self.socket: ClientConnection = connect(
            address, additional_headers=headers, open_timeout=20, max_size=None, legacy=True
        )
        self.frames: list[Frame] = []

    def __enter__(self) -> FeedClient:
        self.until(lambda frame: frame["type"] == "connection")
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def next(self, seconds: float = 20.0) -> Frame:
        """The next frame."""
        text = self.socket.recv(timeout=seconds)
        frame: Frame = {"type": "text", "text": text} if text == "pong" else json.loads(text)
        self.frames.append(frame)
        return frame

    def until(self, condition: Callable[[Frame], bool], seconds: float = 30.0) -> Frame:
        """Reads until a frame fits."""
        deadline = time.monotonic() + seconds
        while True:
            frame = self.next(max(0.01, deadline - time.monotonic()))
            if condition(frame):
                return frame

    def until_event(self, event_type: str, status: str, seconds: float = 30.0, message_id: str | None = None) -> Frame:
        """Reads until an event of that type and status, and gives the event."""

        def fits(frame: Frame) -> bool:
            if frame["type"] != "event":
                return False
            event = frame["event"]
            if message_id is not None and event["message_id"] != message_id:
                return False
            return bool(event["event_type"] == event_type and event["event_status"] == status)

        return dict(self.until(fits, seconds)["event"])

    def until_ended(self, message_id: str | None = None, seconds: float = 60.0) -> Frame:
        """Reads until the message's last event."""

        def fits(frame: Frame) -> bool:
            if frame["type"] != "event":
                return False
            event = frame["event"]
            ending = (event["event_type"], event["event_status"])
            ours = message_id is None or event["message_id"] == message_id
            return ours and ending in {("saving_message", "completed"), ("error", "failed")}

        return dict(self.until(fits, seconds)["event"])

    @property
    def events(self) -> list[Frame]:
        """The events so far."""
        return [frame["event"] for frame in self.frames if frame["type"] == "event"]

    @property
    def chunks(self) -> list[Frame]:
        """The pieces of answers so far."""
        return [frame for frame in self.frames if frame["type"] == "chunk"]

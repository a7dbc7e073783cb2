"""A plain client of Server-Sent Events, which keeps every message, as a browser's EventSource would see it."""

from __future__ import annotations

import dataclasses
import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit


@dataclasses.dataclass(frozen=True)
class Message:
    """One message: its name (`message` where none is given), its data, the last id so far."""

    name: str
    data: str
    last_id: str

    @property
    def json(self) -> Any:
        """The data as JSON."""
        return json.loads(self.data)


class StreamClient:
    """An open stream; messages are read when they are asked for, and kept in `messages`, comments in `comments`."""

    def __init__(
        self, url: str, session_id: str, key: str | None, last_event_id: str | None = None, **query: Any
    ) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        # What begins with a slash is the address of a stream that is no session's.
        path = session_id if session_id.startswith("/") else f"/chat/events/{session_id}/stream"
        path += f"?{urlencode(query, doseq=True)}" if query else ""
        headers = {"Accept": "text/event-stream", **({"X-API-Key": key} if key else {})}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        self._connection.request("GET", path, headers=headers)
        sock = self._connection.sock
        self.reply = self._connection.getresponse()
        self.socket = sock
        self.refusal = b""
        """What was said instead of a stream."""
        if self.reply.status != 200:
            self.refusal = self.reply.read()
            self.close()
        self.messages: list[Message] = []
        self.comments: list[str] = []
        self.retry_ms: int | None = None
        self._last_id = last_event_id or ""

    def __enter__(self) -> StreamClient:
        assert self.reply.status == 200, self.refusal
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self.reply.close()
        self._connection.close()

    def next(self, seconds: float = 20.0) -> Message:
        """The next message. Raises EOFError at the stream's end."""
        name, data = "message", []
        while True:
            self.socket.settimeout(seconds)
            line = self.reply.readline()
            if not line:
                raise EOFError
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if line == b"\n":
                if data:
                    self.messages.append(Message(name, "\n".join(data), self._last_id))
                    return self.messages[-1]
            elif not field:
                self.comments.append(value)
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self._last_id = value
            elif field == "retry":
                self.retry_ms = int(value)

    def until(self, condition: Callable[[Message], bool], seconds: float = 30.0) -> Message:
        """Reads until a message fits."""
        deadline = time.monotonic() + seconds
        while True:
            message = self.next(max(0.01, deadline - time.monotonic()))
            if condition(message):
                return message

    def until_id(self, event_id: int) -> list[int]:
        """Reads up to an event and gives the ids of all that came."""
        self.until(lambda message: message.last_id == str(event_id) and message.name == "message")
        return [event["id"] for event in self.events]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events so far."""
        return [message.json for message in self.messages if message.name == "message"]

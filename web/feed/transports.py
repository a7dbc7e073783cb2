"""How what a client is told is written: as WebSocket frames, or as Server-Sent Events behind an HTTP head."""

from __future__ import annotations

import email.utils
from typing import Protocol

from pipeline.event import encode
from web.feed import frames, texts, unified_frames
from web.origins import of_origin

_LEAST_RETRY_MS = 500
"""A browser whose stream has ended comes back no sooner, however the pause falls out."""
_STREAM_HEAD = (
    "HTTP/1.1 200 OK\r\n"
    "Date: {date}\r\n"
    "Content-Type: text/event-stream; charset=utf-8\r\n"
    "Cache-Control: no-store\r\n"
    "X-Accel-Buffering: no\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "{shared}"
    "Connection: close\r\n"
    "\r\n"
    "retry: {retry_ms}\n\n"
)
_UNAVAILABLE_HEAD = (
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Date: {date}\r\n"
    "Content-Type: application/problem+json\r\n"
    "Content-Length: {length}\r\n"
    "Cache-Control: no-store\r\n"
    "Retry-After: 2\r\n"
    "{shared}"
    "Connection: close\r\n"
    "\r\n"
)


class Transport(Protocol):
    """What the feed needs to know of a transport; one object serves all clients."""

    name: str

    def head(self, pause_ms: int, origin: str = "") -> bytes:
        """What stands before the first message; a stream names there how long a client waits before it comes back.

        `origin`: whose pages may read it, where they are not this server's own.
        """

    def event(self, event_id: int, wire: bytes) -> bytes:
        """An event, around the bytes that were announced."""

    def message(self, kind: str, body: bytes) -> bytes:
        """Whatever else is told, as JSON of the type `kind`."""

    def sign_of_life(self, body: bytes) -> bytes:
        """Sent to a client that has been silent; `body` says so in JSON."""

    def close(self, code: int, reason: str) -> bytes:
        """The last words."""

    def refusal(self, code: int, reason: str, origin: str = "") -> bytes:
        """The only words, when the feed cannot begin."""


class WebSocketTransport:
    """Text frames; the handshake has been answered before."""

    name = "ws"

    def head(self, pause_ms: int, origin: str = "") -> bytes:
        """Nothing."""
        return b""

    def event(self, event_id: int, wire: bytes) -> bytes:
        """A text frame."""
        return frames.event(wire)

    def message(self, kind: str, body: bytes) -> bytes:
        """A text frame."""
        return frames.text(body)

    def sign_of_life(self, body: bytes) -> bytes:
        """A text frame."""
        return frames.text(body)

    def close(self, code: int, reason: str) -> bytes:
        """A close frame."""
        return frames.close(code, reason)

    def refusal(self, code: int, reason: str, origin: str = "") -> bytes:
        """A close frame."""
        return frames.close(code, reason)


class StreamTransport:
    """Server-Sent Events: events are unnamed messages with an id, the rest is named by its type and has none."""

    name = "sse"

    def head(self, pause_ms: int, origin: str = "") -> bytes:
        """The HTTP head, and the pause."""
        date, shared = email.utils.formatdate(usegmt=True), _shared(origin)
        return _STREAM_HEAD.format(date=date, shared=shared, retry_ms=_LEAST_RETRY_MS + pause_ms).encode()

    def event(self, event_id: int, wire: bytes) -> bytes:
        """An unnamed message, whose data are the event's bytes."""
        return b"id: %d\ndata: %b\n\n" % (event_id, wire)

    def message(self, kind: str, body: bytes) -> bytes:
        """A named message without an id: the cursor stays where it is."""
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), body)

    def sign_of_life(self, body: bytes) -> bytes:
        """A comment, which programs do not see."""
        return b": keepalive\n\n"

    def close(self, code: int, reason: str) -> bytes:
        """Mostly nothing: the end of the response is the end of the stream. A token's end is told, and a key's."""
        return self.message("expired", texts.expired()) if code == frames.EXPIRED else b""

    def refusal(self, code: int, reason: str, origin: str = "") -> bytes:
        """A status code, since nothing was sent before."""
        body = encode(
            {
                "type": "urn:spanfeed:problem:unavailable",
                "title": "Unavailable",
                "status": 503,
                "detail": reason[:1].upper() + reason[1:] + ".",
            }
        )
        date, shared = email.utils.formatdate(usegmt=True), _shared(origin)
        return _UNAVAILABLE_HEAD.format(date=date, shared=shared, length=len(body)).encode() + body


def _shared(origin: str) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in {"Vary": "Origin", **of_origin(origin)}.items())


class UnifiedTransport(StreamTransport):
    """Server-Sent Events as the second seed's clients read them: each one is named by its type."""

    def __init__(self, name: str, for_operators: bool) -> None:
        self.name = name
        self._for_operators = for_operators

    def event(self, event_id: int, wire: bytes) -> bytes:
        """A message named by the event's type."""
        return unified_frames.event(event_id, wire, self._for_operators)

    def message(self, kind: str, body: bytes) -> bytes:
        """A message named `connection.<kind>`."""
        return unified_frames.message(kind, body, self._for_operators)


WEBSOCKET = WebSocketTransport()
STREAM = StreamTransport()
UNIFIED = UnifiedTransport("unified", for_operators=False)
OPERATORS = UnifiedTransport("operators", for_operators=True)
BY_NAME: dict[str, Transport] = {one.name: one for one in (WEBSOCKET, STREAM, UNIFIED, OPERATORS)}

"""What a WebSocket client says, from the bytes that it sends. No I/O."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from web.feed import frames
from web.feed.pace import Pace
from web.feed.states import InboundState
from web.feed.unfinished import Unfinished

_UNFINISHED_LIMIT_MESSAGES = 8
"""Pieces of one byte each need seven; more than so many times a message's limit are empty ones."""


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """A whole text."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """Bytes that the protocol wants sent back."""

    data: bytes
    last: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Breach:
    """Why the connection must be closed: a close code and a reason."""

    code: int
    reason: str


class Inbound:
    """The frames of one client. After a `Breach` or a last `Reply` nothing that it says is heard any more."""

    __slots__ = ("_limit_bytes", "_pace", "_parser", "_text", "_unfinished")

    def __init__(self, limit_bytes: int, pace: Pace) -> None:
        self._parser = Connection(ConnectionType.SERVER)
        self._limit_bytes = limit_bytes
        self._pace = pace
        self._text = ""
        self._unfinished = Unfinished()
        """As it came, what belongs to a message that is not whole: enough for another parser to go on."""

    @property
    def state(self) -> InboundState:
        """Enough to go on in another process."""
        return InboundState(bytes(self._unfinished), *self._pace.state)

    @classmethod
    def of(cls, limit_bytes: int, pace: Pace, state: InboundState) -> Inbound:
        """Goes on where another one was, whose `pace` is given."""
        made = cls(limit_bytes, pace)
        made._unfinished.add(state.unfinished)
        made._parser.receive_data(state.unfinished)
        # What these bytes complete was answered before; only pieces of a text are left.
        made._text = "".join(str(one.data) for one in made._parser.events() if isinstance(one, TextMessage))
        return made

    def receive(self, data: bytes, now: float) -> Iterator[Said | Reply | Breach]:
        """What these bytes complete."""
        self._unfinished.add(data)
        self._parser.receive_data(data)
        for event in self._parser.events():
            # Pieces and pings count as frames do: each costs us the same.
            if not isinstance(event, CloseConnection) and not self._pace.allows(now):
                yield Breach(frames.TOO_MANY, "too many frames")
                return
            if isinstance(event, CloseConnection):
                yield Reply(self._parser.send(event.response()), last=True)
                return
            if isinstance(event, Ping):
                yield Reply(frames.frame(frames.PONG, bytes(event.payload)))
            elif isinstance(event, BytesMessage):
                yield Breach(frames.NOT_TEXT, "text frames only")
                return
            elif isinstance(event, TextMessage):
                # A frame that the client leaves open counts, too: its pieces are added up.
                self._text += str(event.data)
                if len(self._text.encode()) > self._limit_bytes:
                    yield Breach(frames.TOO_BIG, "a frame was too long")
                    return
                if event.message_finished:
                    said, self._text = self._text, ""
                    yield Said(said)
        if len(self._unfinished) > _UNFINISHED_LIMIT_MESSAGES * self._limit_bytes:
            yield Breach(frames.TOO_BIG, "a frame was too long")

"""What Redis says about one session at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.event import Event


class SessionClock(NamedTuple):
    """The log's epoch and newest id; `seq` and `newest` are of the session's newest event, '' where none is known.

    `answering`: what is written of an answer may be kept; if not, surely nothing is.
    """

    epoch: str
    last_id: int
    seq: str
    newest: str
    answering: bool

    @property
    def mark(self) -> str:
        """Is another one after every event of the session."""
        return f"{self.epoch} {self.seq} {self.newest}"


class Tail(NamedTuple):
    """The log's epoch and newest id, the oldest ids of log and session's stream (None: empty), and events, ascending.

    `whole`: the events are all that the stream had of what was asked for.
    """

    epoch: str
    last_id: int
    oldest_unstored: int | None
    oldest_held: int | None
    events: list[Event]
    whole: bool


def session_clock(reply: Sequence[Any]) -> SessionClock:
    """`session.lua`'s reply."""
    epoch, last_id, seq, newest, answering = reply
    return SessionClock(epoch.decode(), int(last_id), seq.decode(), newest.decode(), bool(answering))


def tail(reply: Sequence[Any]) -> Tail:
    """`tail.lua`'s reply."""
    epoch, last_id, of_log, of_stream, whole, wires = reply
    events = sorted((Event.from_wire(wire) for wire in wires), key=lambda event: event.id)
    return Tail(epoch.decode(), int(last_id), _id(of_log), _id(of_stream), events, bool(whole))


def _id(entry_id: bytes) -> int | None:
    return int(entry_id.partition(b"-")[0]) if entry_id else None

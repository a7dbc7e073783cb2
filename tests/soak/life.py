"""One client over all its visits: its cursor, and everything that it was told."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Visit:
    """One join: how, from which cursor on, when (in the run's seconds), and how many events the client had then."""

    transport: str
    after: int | None
    began_at: float
    had: int

    def __str__(self) -> str:
        return f"{self.transport} after {self.after} at {self.began_at:.2f} s, {self.had} events before"


@dataclasses.dataclass
class Life:
    """A client. `filters` are those of its query; `skip_at` and `repeat_at` make it lie about one event."""

    number: int
    session_id: str
    filters: tuple[tuple[str, str], ...] = ()
    skip_at: int = 0
    repeat_at: int = 0
    cursor: int | None = None
    """The last event that it knows; None: it wants what is new only."""
    since: int | None = None
    """What came before is not owed to it."""
    epoch: str | None = None
    seen: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    """Id and `seq` of each event that it was told, in the order in which it was told them."""
    visits: list[Visit] = dataclasses.field(default_factory=list)
    wrong: list[str] = dataclasses.field(default_factory=list)
    """What no server should have said."""
    _told: int = 0

    def begin(self, cursor: int | None) -> None:
        """Decides where it begins to be owed events; a client without a cursor is told by the server."""
        self.cursor = self.since = cursor

    def join(self, transport: str, now: float) -> None:
        """Notes that it was let in."""
        self.visits.append(Visit(transport, self.cursor, now, len(self.seen)))

    def hear(self, message: dict[str, Any]) -> None:
        """Takes a message of a feed that is no event."""
        kind = message["type"]
        if kind == "connection":
            if self.cursor is None:
                self.begin(message["last_id"])
            self.epoch = message["epoch"]
        elif kind == "reset":
            self.wrong.append(f"reset ({message['reason']}) in {self.visits[-1]}")
        elif kind == "hello" and message["after"] != self.visits[-1].after:
            self.wrong.append(f"hello after {message['after']} in {self.visits[-1]}")

    def note(self, event: dict[str, Any]) -> None:
        """Takes an event."""
        self._told += 1
        self.cursor = event["id"]
        if event["session_id"] != self.session_id:
            self.wrong.append(f"event {event['id']} of the session {event['session_id']}")
        if self._told == self.skip_at:
            return
        self.seen.append((event["id"], event["seq"]))
        if self._told == self.repeat_at:
            self.seen.append(self.seen[-1])

    def visit_of(self, position: int) -> Visit | None:
        """The visit in which its event at this position was told."""
        return next((visit for visit in reversed(self.visits) if visit.had <= position), None)

"""What a run writes down: plain data, made by the harness's own eyes, that the checker judges."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """An event, as a client received it, the log held it or the database stores it.

    `mark` is what the harness's own emitter put into the event, '' for every other event.
    """

    id: int
    seq: int | None
    session_id: str | None
    message_id: str | None
    span_id: str | None
    event_type: str
    status: str | None
    attempt: int | None = None
    reason: str | None = None
    mark: str = ""

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Told:
        """The event behind a frame's, an entry's or a row's fields. Raises KeyError for what is none."""
        data = fields.get("event_data")
        return cls(
            id=fields["id"],
            seq=fields["seq"],
            session_id=fields["session_id"],
            message_id=fields["message_id"],
            span_id=fields["span_id"],
            event_type=fields["event_type"],
            status=fields["event_status"],
            attempt=fields["attempt"],
            reason=fields["reason"],
            mark=str(data.get("mark", "")) if isinstance(data, dict) else "",
        )

    @property
    def ends(self) -> bool:
        """Whether it is the terminal event of a span."""
        return self.status in {"completed", "failed"} and self.event_type != "error"

    @property
    def ends_message(self) -> bool:
        """Whether it is the last event of a message."""
        return (self.event_type, self.status) in {("saving_message", "completed"), ("error", "failed")}

    def __str__(self) -> str:
        words = f"{self.id} #{self.seq} {self.event_type} {self.status}"
        return f"{words} ({self.message_id or self.session_id}, attempt {self.attempt}, {self.reason})"


@dataclasses.dataclass
class Post:
    """A message that was sent until it was accepted, by one idempotency key. `marker` stands in its text."""

    marker: str
    session_id: str
    waiting: bool
    message_ids: list[str] = dataclasses.field(default_factory=list)
    """Of every reply that accepted it: all must be the same."""
    answers: list[str] = dataclasses.field(default_factory=list)
    """What the waiting ones were told."""
    refusals: list[str] = dataclasses.field(default_factory=list)
    """Replies that no fault explains."""

    @property
    def accepted(self) -> bool:
        """Whether somebody was told that it was accepted."""
        return bool(self.message_ids)


@dataclasses.dataclass
class Piece:
    """A piece of an answer: a chunk, or the text so far (`whole`)."""

    message_id: str
    attempt: int
    offset: int
    text: str
    whole: bool = False


@dataclasses.dataclass
class ClientLog:
    """What one client has received, in order. After a reset it begins anew, as the client does."""

    name: str
    session_id: str
    after: int = 0
    resumes: bool = True
    """Whether it came back until the end, so that nothing may be missing; else it saw a part, without gaps."""
    upto: int | None = None
    """For one that does not come back: the newest id that it waited for and received."""
    events: list[Told] = dataclasses.field(default_factory=list)
    pieces: list[Piece] = dataclasses.field(default_factory=list)
    resets: list[str] = dataclasses.field(default_factory=list)
    connections: int = 0

    @property
    def cursor(self) -> int:
        """Where it resumes from."""
        return self.events[-1].id if self.events else self.after

    def reset(self, reason: str) -> None:
        """Forgets everything: the client was told to."""
        self.resets.append(reason)
        self.events.clear()
        self.after = 0


@dataclasses.dataclass(frozen=True)
class MessageRow:
    """A row of the conversation."""

    session_id: str
    message_id: str
    role: str
    status: str
    reason: str | None
    content: str
    partial: bool


@dataclasses.dataclass(frozen=True)
class Flush:
    """Redis lost everything on purpose: the newest id before, and the events and entries that lay in the log.

    They may have been stored, or not.
    """

    last_id: int
    unstored: frozenset[int]
    entries: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a process uses."""

    name: str
    memory_bytes: int
    threads: int
    files: int


@dataclasses.dataclass
class Evidence:
    """Everything that the checker looks at."""

    posts: list[Post] = dataclasses.field(default_factory=list)
    clients: list[ClientLog] = dataclasses.field(default_factory=list)
    emitted: dict[int, Told] = dataclasses.field(default_factory=dict)
    """Every event that the log or a session's stream was seen to hold, by the id inside."""
    marks: list[str] = dataclasses.field(default_factory=list)
    """What the harness's own emitter was told is written."""
    stored: list[Told] = dataclasses.field(default_factory=list)
    """The rows of `events`, by id."""
    messages: list[MessageRow] = dataclasses.field(default_factory=list)
    dead_letters: list[str] = dataclasses.field(default_factory=list)
    """Entry ids."""
    poison: list[str] = dataclasses.field(default_factory=list)
    """Entry ids."""
    flushes: list[Flush] = dataclasses.field(default_factory=list)
    texts: frozenset[str] = frozenset()
    """Every whole answer that the model could have given."""
    before: list[Sample] = dataclasses.field(default_factory=list)
    after: list[Sample] = dataclasses.field(default_factory=list)

    @property
    def excused(self) -> frozenset[int]:
        """Events that were lost on purpose, before they could be stored."""
        return frozenset().union(*(flush.unstored for flush in self.flushes))

    @property
    def excused_entries(self) -> frozenset[str]:
        """Entries of the log that were lost on purpose, before they could be stored."""
        return frozenset().union(*(flush.entries for flush in self.flushes))

    def epoch_of(self, event_id: int) -> int:
        """How often Redis had been emptied when the event was written."""
        return sum(event_id > flush.last_id for flush in self.flushes)


def write_lines(path: Path, values: Iterable[Any]) -> None:
    """Keeps part of a journal as JSON Lines, for people."""
    path.write_bytes(b"".join(orjson.dumps(value, default=_plain) + b"\n" for value in values))


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else str(value)

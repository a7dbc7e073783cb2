"""Finding what is wrong in a series of events: spans that are open, doubled or cut, numbers that are missing.

A pure function of the events, read in order of id, with bounded memory: it remembers each open span, and of what
ended only the newest. So it may overlook what lies very far apart, but never accuses a record that is right: what
clean-up may have taken away is not missed.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from collections.abc import Iterator
from typing import Generic, TypeVar

import orjson

from pipeline.catalog import STAGE_TYPES
from pipeline.errors import InvalidEvent
from pipeline.event import Category, Identity, Priority, Status

K = TypeVar("K")
V = TypeVar("V")

SpanKey = tuple[str | None, str]
"""A message's id and a span's id."""

_REMEMBERED = 100_000
"""Sessions, messages and ended spans that are remembered: some 20 MB each."""
_CHAT = {Category.WORKFLOW, Category.STREAMING}
_ENDINGS = {Status.COMPLETED, Status.FAILED}


class Kind(enum.StrEnum):
    """What is wrong."""

    OPEN = "open"
    STARTED_TWICE = "started-twice"
    ENDED_TWICE = "ended-twice"
    AFTER_ENDING = "after-ending"
    NOT_STARTED = "not-started"
    OUT_OF_ORDER = "out-of-order"
    MISSING = "missing"
    NO_ENDING = "no-ending"
    NO_ANSWER = "no-answer"
    TWO_ANSWERS = "two-answers"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong, in a sentence. `event_id` is the event that shows it, 0 where none does."""

    kind: Kind
    session_id: str | None
    message_id: str | None
    event_id: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """An event without what it says: who it is about and where it stands. The fields are columns of `events`."""

    id: int
    seq: int | None
    event_status: str | None
    event_type: str
    category: str
    priority: str
    session_id: str | None
    message_id: str | None
    user_id: str | None
    correlation_id: str | None
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    source_system: str | None

    @classmethod
    def from_wire(cls, wire: bytes) -> Told:
        """What an entry of the log tells. Raises InvalidEvent."""
        try:
            fields = orjson.loads(wire)
            return cls(fields["id"], *(fields.get(name) for name in TOLD_FIELDS[1:]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidEvent(f"not an event: {type(error).__name__}") from None

    def identity(self) -> Identity:
        """What all events of its span share."""
        return Identity(
            self.event_type,
            Category(self.category),
            Priority(self.priority),
            self.session_id,
            self.message_id,
            self.user_id,
            self.correlation_id,
            self.trace_id,
            self.span_id,
            self.parent_span_id,
            self.source_system or "spanfeed",
        )


TOLD_FIELDS = tuple(field.name for field in dataclasses.fields(Told))


class _Recent(Generic[K, V]):
    """The newest `limit` entries of a mapping."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: collections.OrderedDict[K, V] = collections.OrderedDict()

    def get(self, key: K) -> V | None:
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)


@dataclasses.dataclass
class _Message:
    """`whole`: its first event was seen, so every span of it has its start in view."""

    whole: bool
    ended: bool = False


class Verifier:
    """Judges events one by one. `epoch` is the id at which the log began anew, 0 when not known.

    `kept_from` is the id before which clean-up may have taken events away.
    """

    def __init__(self, epoch: int = 0, kept_from: int = 0, remembered: int = _REMEMBERED) -> None:
        self.open: dict[SpanKey, Told] = {}
        """The start of each span that has not ended, oldest first."""
        self.seen = 0
        """How many events were judged."""
        self._epoch = epoch
        self._kept_from = kept_from
        self._last_id = 0
        self._chat_from: int | None = None
        self._numbers: _Recent[str, tuple[int, int]] = _Recent(remembered)
        self._messages: _Recent[str, _Message] = _Recent(remembered)
        self._ended: _Recent[SpanKey, bool] = _Recent(remembered)

    def feed(self, event: Told) -> Iterator[Finding]:
        """What is wrong with this event, after those before it."""
        self.seen += 1
        if event.id <= self._last_id:
            yield _finding(Kind.OUT_OF_ORDER, event, f"stands behind event {self._last_id}, which is not older")
        self._last_id = max(self._last_id, event.id)
        if self._chat_from is None and event.category in _CHAT:
            self._chat_from = event.id
        if event.session_id is not None and event.seq is not None:
            yield from self._number(event.session_id, event.seq, event)
        if event.event_type == "error":
            yield from self._message_ended(event)
        elif event.span_id is not None and event.event_status is not None:
            yield from self._span((event.message_id, event.span_id), event)

    def has_ended(self, message_id: str) -> bool:
        """Whether the message's error event was seen, as far as it is remembered."""
        message = self._messages.get(message_id)
        return message is not None and message.ended

    def _number(self, session_id: str, seq: int, event: Told) -> Iterator[Finding]:
        """A session's numbers are dense; they begin again at 1 when they were forgotten, and with a new epoch."""
        last = self._numbers.get(session_id)
        number, at = last or (0, 0)
        anew = last is None or at < self._epoch <= event.id or (seq == 1 and number > 1)
        if not anew and seq <= number:
            yield _finding(Kind.OUT_OF_ORDER, event, f"has number {seq}, behind number {number} of its session")
            seq = number
        elif not anew and seq > number + 1 and self._nothing_taken_since(at):
            missing = f"number {seq - 1} is" if seq == number + 2 else f"numbers {number + 1} to {seq - 1} are"
            yield _finding(Kind.MISSING, event, f"has number {seq}, but {missing} missing in its session")
        self._numbers.put(session_id, (seq, event.id))

    def _nothing_taken_since(self, event_id: int) -> bool:
        # Clean-up takes the oldest events of a category; none is kept for a shorter time than chat events.
        return self._chat_from is not None and event_id >= max(self._chat_from, self._kept_from)

    def _message(self, event: Told) -> _Message:
        message_id = event.message_id or ""
        message = self._messages.get(message_id)
        if message is None:
            first = event.event_type == "message_received" and event.event_status == Status.STARTED
            message = _Message(whole=first and event.id >= self._kept_from)
        self._messages.put(message_id, message)
        return message

    def _message_ended(self, event: Told) -> Iterator[Finding]:
        if event.message_id is None:
            return
        message = self._message(event)
        if message.ended:
            yield _finding(Kind.ENDED_TWICE, event, "ends its message, which had ended")
        message.ended = True

    def _span(self, key: SpanKey, event: Told) -> Iterator[Finding]:
        message = self._message(event)
        name, status = event.event_type, event.event_status
        is_open, was_ended = key in self.open, self._ended.get(key) is not None
        if message.ended and event.message_id is not None and name in STAGE_TYPES:
            yield _finding(Kind.AFTER_ENDING, event, f"{name} {status}, but its message had ended")
        if status == Status.STARTED:
            if is_open or was_ended:
                yield _finding(Kind.STARTED_TWICE, event, f"{name} started a second time")
            if not was_ended:
                self.open.setdefault(key, event)
        elif was_ended:
            kind = Kind.ENDED_TWICE if status in _ENDINGS else Kind.AFTER_ENDING
            yield _finding(kind, event, f"{name} {status}, but it had ended")
        elif not is_open and message.whole:
            yield _finding(Kind.NOT_STARTED, event, f"{name} {status}, but it had not started")
        if status in _ENDINGS:
            self.open.pop(key, None)
            self._ended.put(key, True)


def _finding(kind: Kind, event: Told, text: str) -> Finding:
    return Finding(kind, event.session_id, event.message_id, event.id, text)

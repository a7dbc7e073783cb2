"""Folds a session's events into what is known of each message, as the page's client does. No I/O.

The client is `frontend/client/fold.ts` with `stage.ts`; a test compares the two. Moments are event ids: microseconds
since the beginning of 2020. Durations are in milliseconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

Data = Mapping[str, Any]
"""An event, as its JSON has it."""
_ENDED = {"completed", "failed"}
_NOTES_LIMIT = 20


@dataclasses.dataclass(slots=True)
class Note:
    """Something worth telling while a stage went on: a new try, and why."""

    id: int
    attempt: int
    reason: str | None
    sentence: str


@dataclasses.dataclass(slots=True)
class Stage:
    """One piece of work of a message: what its events, in order, say about it."""

    key: str
    first_id: int
    event_type: str
    span_id: str | None
    parent_span_id: str | None
    event_status: str | None = "started"
    sentence: str = ""
    started: int | None = None
    ended: int | None = None
    processing_time_ms: int | None = None
    queue_time_ms: int | None = None
    attempt: int = 1
    reason: str | None = None
    data: dict[str, Any] = dataclasses.field(default_factory=dict)
    notes: list[Note] = dataclasses.field(default_factory=list)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more can come."""
        return self.event_status in _ENDED

    def hear(self, event: Data) -> None:
        """Takes the stage's next event."""
        attempt = max(self.attempt, _attempt(event))
        again = event["event_status"] == "progress" and (attempt > self.attempt or event["reason"])
        if again:
            self.notes.append(Note(event["id"], attempt, event["reason"], _sentence(event)))
            del self.notes[:-_NOTES_LIMIT]
        self.event_status = event["event_status"]
        self.sentence = _sentence(event)
        self.parent_span_id = self.parent_span_id if self.parent_span_id is not None else event["parent_span_id"]
        self.queue_time_ms = _first(event["queue_time_ms"], self.queue_time_ms)
        self.attempt = attempt
        self.reason = _first(event["reason"], self.reason)
        self.data |= event["event_data"] or {}
        if self.is_ended:
            self._end(event)

    def _end(self, event: Data) -> None:
        self.ended = event["id"]
        took_ms = event["processing_time_ms"]
        if took_ms is None and self.started is not None:
            took_ms = self.ended // 1000 - self.started // 1000
        self.processing_time_ms = took_ms
        if self.started is None and took_ms is not None:
            self.started = self.ended - took_ms * 1000
        if self.event_status != "failed":
            self.reason = None


@dataclasses.dataclass(slots=True)
class Failure:
    """Why there is no whole answer; also of a message that somebody stopped."""

    sentence: str
    reason: str | None
    stage: str | None


@dataclasses.dataclass(slots=True)
class Message:
    """What is known of one message. `status`: running, completed, failed or cancelled."""

    message_id: str
    status: str = "running"
    sentence: str = ""
    started: int | None = None
    ended: int | None = None
    failure: Failure | None = None
    stages: list[Stage] = dataclasses.field(default_factory=list)

    def hear(self, event: Data) -> None:
        """Takes the message's next event; nothing comes after its end."""
        if self.status != "running":
            return
        if event["event_type"] == "error":
            self._note(event)
            if event["event_status"] == "failed":
                self._fail(event)
        elif self._hear_of_stage(event):
            self._note(event)
            if (event["event_type"], event["event_status"]) == ("saving_message", "completed"):
                self.status, self.ended = "completed", event["id"]

    def _note(self, event: Data) -> None:
        if self.started is None:
            ended = event["event_status"] in _ENDED
            self.started = event["id"] - (event["processing_time_ms"] or 0) * 1000 * ended
        self.sentence = _sentence(event)

    def _fail(self, event: Data) -> None:
        broken = next((stage for stage in reversed(self.stages) if stage.event_status == "failed"), None)
        self.failure = Failure(_sentence(event), event["reason"], broken.event_type if broken else None)
        self.status = "cancelled" if event["reason"] == "cancelled" else "failed"
        self.ended = event["id"]

    def _hear_of_stage(self, event: Data) -> bool:
        """Whether the event says something new."""
        name = _stage_name(event)
        same = (s for s in reversed(self.stages) if s.key == name or s.key.startswith(f"{name}#"))
        known = next(same, None)
        if known is None:
            self._open(name, event)
        elif not known.is_ended:
            known.hear(event)
        elif event["span_id"] or event["event_status"] != "started":
            # A second ending is a repeat; a second beginning without a span is the same work done once more.
            return False
        else:
            self._open(f"{name}#{len(self.stages)}", event)
        return True

    def _open(self, key: str, event: Data) -> None:
        stage = Stage(key, event["id"], event["event_type"], event["span_id"], event["parent_span_id"])
        stage.started = event["id"] if event["event_status"] == "started" else None
        stage.hear(event)
        self.stages.append(stage)


def fold(events: Iterable[Data], known: dict[str, Message] | None = None) -> dict[str, Message]:
    """The messages by id, in the order in which they were first heard of; `known` is what was folded before."""
    messages = {} if known is None else known
    for event in events:
        message_id = event["message_id"]
        if message_id:
            messages.setdefault(message_id, Message(message_id)).hear(event)
    return messages


def _first(one: Any, other: Any) -> Any:
    return other if one is None else one


def _sentence(event: Data) -> str:
    said = event["user_message"]
    status = event["event_status"]
    return f"{event['event_type']}:{'null' if status is None else status}" if said is None else str(said)


def _attempt(event: Data) -> int:
    told = event["attempt"]
    if told is None:
        told = (event["event_data"] or {}).get("attempt")
    return told if isinstance(told, int | float) and not isinstance(told, bool) else 1  # type: ignore[return-value]


def _stage_name(event: Data) -> str:
    """A stage is known by its span; without one, by its type and the collection it searches."""
    if event["span_id"]:
        return str(event["span_id"])
    collection = (event["event_data"] or {}).get("collection")
    return f"{event['event_type']}:{collection}" if isinstance(collection, str) else str(event["event_type"])

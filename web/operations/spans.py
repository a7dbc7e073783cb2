"""Makes a run's spans of its events: one for each attempt, with its place in the tree. No I/O.

Moments are event ids: microseconds since the beginning of 2020.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

Data = Mapping[str, Any]
"""An event, as its JSON has it."""
QUEUED, RUNNING, COMPLETED, FAILED, CANCELLED, LOST = "queued", "running", "completed", "failed", "cancelled", "lost"
_STATES_BY_REASON = {"cancelled": CANCELLED, "worker_lost": LOST}
_OWN_DATA = ("name", "session_id")
"""What the data of an ordinary span's events hold beside its attributes."""


@dataclasses.dataclass(slots=True)
class Span:
    """One attempt at one piece of work."""

    id: str
    key: str
    span_id: str | None
    event_type: str
    name: str
    attempt: int
    start: int
    state: str = RUNNING
    parent_span_id: str | None = None
    parent: str | None = None
    end: int | None = None
    queued_ms: int | None = None
    took_ms: int | None = None
    reason: str | None = None
    error_type: str | None = None
    sentence: str | None = None
    trace_id: str | None = None
    task_id: str | None = None
    first_id: int | None = None
    last_id: int | None = None
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)

    def hear(self, event: Data) -> None:
        """Takes the span's next event."""
        data = event["event_data"] or {}
        own = _OWN_DATA if event["event_type"] == "span" else ()
        self.attributes |= {name: value for name, value in data.items() if name not in own}
        self.last_id = event["id"]
        self.sentence = event["user_message"] or self.sentence
        self.task_id = event["task_id"] or self.task_id
        if self.queued_ms is None:
            self.queued_ms = event["queue_time_ms"]

    def finish(self, at: int, state: str, event: Data) -> None:
        """Ends it."""
        self.end, self.state = at, state
        self.reason, self.error_type = event["reason"], event["error_type"]


class Tree:
    """The spans of one run, in the order in which they began."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._attempts: dict[str, list[Span]] = collections.defaultdict(list)
        self.ending: Data | None = None
        """The event that told of the run's end."""

    def hear(self, event: Data) -> None:
        """Takes the run's next event; what belongs to no span is passed over."""
        status = event["event_status"]
        if event["event_type"] == "error":
            self.ending = event if status == "failed" else self.ending
            return
        if (event["event_type"], status) == ("saving_message", "completed"):
            self.ending = event
        key = _key_of(event)
        if status is None or key is None:
            return
        attempts = self._attempts[key]
        if not attempts:
            self._open(key, event, _began(event))
        elif attempts[-1].end is not None:
            # A second ending is a repeat.
            return
        elif status == "progress" and (event["attempt"] or 1) > attempts[-1].attempt:
            attempts[-1].last_id = event["id"]
            attempts[-1].finish(event["id"], LOST if event["reason"] == "worker_lost" else FAILED, event)
            self._open(key, event, event["id"])
        span = attempts[-1]
        span.hear(event)
        if status in {COMPLETED, FAILED}:
            state = COMPLETED if status == COMPLETED else _STATES_BY_REASON.get(event["reason"], FAILED)
            span.finish(event["id"], state, event)
            span.took_ms = event["processing_time_ms"] if len(attempts) == 1 else None

    def _open(self, key: str, event: Data, start: int) -> None:
        attempts, attempt = self._attempts[key], event["attempt"] or 1
        data = event["event_data"] or {}
        name = data.get("name") if event["event_type"] == "span" else None
        span = Span(
            f"{key}.{attempt}" if attempts else key,
            key,
            event["span_id"],
            event["event_type"],
            name if isinstance(name, str) else event["event_type"],
            attempt,
            start,
            parent_span_id=event["parent_span_id"],
            trace_id=event["trace_id"],
            first_id=event["id"],
        )
        attempts.append(span)
        self.spans.append(span)

    def settle(self, is_open: bool, is_queued: bool) -> None:
        """Gives each span its parent, and those that are open the state that the run's allows."""
        for span in self.spans:
            above = self._attempts.get(span.parent_span_id or "", [])
            span.parent = next((one.id for one in reversed(above) if one.start <= span.start), None)
            if span.end is None and not is_open:
                span.state, span.reason = LOST, "worker_lost"
            elif span.end is None and is_queued and self._attempts[span.key][0] is not span:
                span.state = QUEUED


def tree_of(events: Iterable[Data]) -> Tree:
    """The tree of a run's events, which come in order."""
    tree = Tree()
    for event in events:
        tree.hear(event)
    return tree


def critical_path(spans: Iterable[Span], now: int) -> list[str]:
    """The ids of the spans that the run's length came from, in the order of time.

    Backwards from the end: of those side by side the one that ended last, then the one that ended last before that
    began; within each of them the same.
    """
    below: dict[str | None, list[Span]] = collections.defaultdict(list)
    for span in spans:
        below[span.parent].append(span)
    found: list[Span] = []
    todo: list[tuple[str | None, int]] = [(None, now)]
    while todo:
        parent, until = todo.pop()
        for span in sorted(below[parent], key=lambda one: (_end(one, now), one.start), reverse=True):
            if min(_end(span, now), now) <= until:
                found.append(span)
                todo.append((span.id, _end(span, now)))
                until = span.start
    return [span.id for span in sorted(found, key=lambda one: one.start)]


def _end(span: Span, now: int) -> int:
    return now if span.end is None else span.end


def _key_of(event: Data) -> str | None:
    """A span is known by its id; without one a stage is known by its type and the collection that it searches."""
    if event["span_id"]:
        return str(event["span_id"])
    collection = (event["event_data"] or {}).get("collection")
    return f"{event['event_type']}:{collection}" if isinstance(collection, str) else str(event["event_type"])


def _began(event: Data) -> int:
    """When a span began of which this event is the first that is known."""
    took_ms = event["processing_time_ms"] or 0
    ended = event["event_status"] in {COMPLETED, FAILED}
    return int(event["id"]) - took_ms * 1000 * ended

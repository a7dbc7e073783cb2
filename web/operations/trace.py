"""A run's trace as JSON: its spans, how it stands, and what its length came from. No Flask."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.bus.runs import unix_ns
from pipeline.store.browsing import Run
from pipeline.store.moments import id_at
from web.operations.links import Links
from web.operations.run_events import Heard, Standing
from web.operations.spans import QUEUED, Span, Tree, critical_path, tree_of

TYPES = {
    "receive": "message_received",
    "history": "loading_history",
    "think": "agent_thinking",
    "search": "tool_search_documents",
    "generate": "response_generation",
    "save": "saving_message",
}
"""What the first span of each stage is called."""
_ENDED = ("completed", "failed", "cancelled")
_PLAIN = "id span_id parent event_type name attempt state queued_ms reason error_type sentence task_id".split()


def status_of(run: Run | None, standing: Standing, ending: dict[str, Any] | None = None) -> str:
    """How a run stands: by its last event, by Redis, by the database. `accepted`: Redis could not be asked."""
    if ending is not None:
        if ending["event_type"] != "error":
            return "completed"
        return "cancelled" if ending["reason"] == "cancelled" else "failed"
    if standing.status in _ENDED:
        return standing.status
    if run is not None and run.status in _ENDED:
        return run.status
    if standing.status:
        return "queued" if standing.state == QUEUED else "running"
    return "queued" if standing.known else "accepted"


def trace_json(message_id: str, run: Run | None, standing: Standing, heard: Heard, links: Links) -> dict[str, Any]:
    """The whole trace."""
    tree = tree_of(orjson.loads(event.wire) for event in heard.events)
    ending: Any = tree.ending
    status = status_of(run, standing, ending)
    is_open = status not in _ENDED
    # Without Redis, or with events that are gone, nobody can say that an open span has been lost.
    tree.settle(is_open or not heard.whole, standing.state == QUEUED and standing.tries > 0)
    if is_open:
        tree.spans += _waiting(run, standing, tree)
    path = critical_path(tree.spans, heard.now)
    starts = [span.start for span in tree.spans] or ([] if run is None else [id_at(run.created_at)])
    start = min(starts, default=None)
    end = None if is_open else _end_of(run, tree, ending)
    trace_id = next((span.trace_id for span in tree.spans if span.trace_id), None if run is None else run.trace_id)
    return {
        "message_id": message_id,
        "session_id": standing.session_id or (None if run is None else run.session_id),
        "status": status,
        "reason": _reason(run, ending),
        "open": is_open,
        "trace_id": trace_id,
        "language": None if run is None else run.language,
        "start": _ms(start),
        "end": _ms(end),
        "now": _ms(heard.now),
        "duration_ms": None if start is None else _between(start, heard.now if end is None else end),
        "last_id": heard.last_id,
        "epoch": heard.epoch,
        "whole": heard.whole,
        "spans": [_span_json(span, span.id in set(path), heard.now, links) for span in tree.spans],
        "critical_path": path,
        "links": {"trace": links.trace(trace_id)},
    }


def _waiting(run: Run | None, standing: Standing, tree: Tree) -> list[Span]:
    """The time that a run spends in a queue before a stage of which no span is open yet."""
    if standing.status and (standing.state != QUEUED or standing.tries > 0):
        return []
    if not standing.status and (tree.spans or run is None):
        return []
    since = standing.queued_since or (0 if run is None else id_at(run.created_at))
    event_type = TYPES.get(standing.stage, standing.stage) if standing.stage else TYPES["receive"]
    return [Span("queued", "queued", None, event_type, event_type, 1, since, QUEUED)]


def _reason(run: Run | None, ending: Any) -> str | None:
    if ending is not None and ending["event_type"] == "error":
        return str(ending["reason"])
    return None if run is None else run.reason


def _end_of(run: Run | None, tree: Tree, ending: Any) -> int | None:
    if ending is not None:
        return int(ending["id"])
    ends = [span.end for span in tree.spans if span.end is not None]
    return max(ends) if ends else None if run is None else id_at(run.updated_at)


def _span_json(span: Span, critical: bool, now: int, links: Links) -> dict[str, Any]:
    took = span.took_ms
    if took is None and span.end is not None:
        took = round((span.end - span.start) / 1000)
    return {
        **{name: getattr(span, name) for name in _PLAIN},
        "start": _ms(span.start),
        "end": _ms(span.end),
        "duration_ms": None if span.end is None else took,
        "age_ms": _between(span.start, now) if span.end is None else None,
        "first_id": span.first_id,
        "last_id": span.last_id,
        "attributes": span.attributes,
        "critical": critical,
        "links": {"flower": links.flower(span.task_id), "trace": links.trace(span.trace_id, span.span_id)},
    }


def _ms(moment: int | None) -> float | None:
    """A moment as Unix milliseconds."""
    return None if moment is None else unix_ns(moment) / 1_000_000


def _between(start: int, end: int) -> float:
    return max(0, end - start) / 1000

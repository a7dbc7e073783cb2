"""Folded messages as JSON: each stage under the stage that it is a part of."""

from __future__ import annotations

from pipeline.event import encode
from pipeline.store.moments import timestamp_text
from web.feed.fold import Message, Stage

_DEPTH_LIMIT = 30
"""A stage that would lie deeper, or in a circle, stands at the top: readers of JSON have limits too."""


def message_json(message: Message) -> bytes:
    """The message's fields, without the last brace: more may follow."""
    failure = message.failure
    fields = {
        "message_id": message.message_id,
        "status": message.status,
        "sentence": message.sentence,
        "started_at": _moment(message.started),
        "ended_at": _moment(message.ended),
        "failure": failure and {"sentence": failure.sentence, "reason": failure.reason, "stage": failure.stage},
    }
    return encode(fields)[:-1] + b',"stages":' + _tree(message.stages)


def _moment(event_id: int | None) -> str | None:
    return None if event_id is None else timestamp_text(max(event_id, 0))


def _tree(stages: list[Stage]) -> bytes:
    by_span: dict[str | None, Stage] = {stage.span_id: stage for stage in stages if stage.span_id is not None}
    children: dict[str, list[Stage]] = {stage.key: [] for stage in stages}
    roots: list[Stage] = []
    for stage in stages:
        parent = _parent(stage, by_span)
        (roots if parent is None else children[parent.key]).append(stage)
    return _list(roots, children)


def _parent(stage: Stage, by_span: dict[str | None, Stage]) -> Stage | None:
    found = at = by_span.get(stage.parent_span_id) if stage.parent_span_id else None
    for _ in range(_DEPTH_LIMIT):
        if at is None:
            return found
        at = by_span.get(at.parent_span_id) if at.parent_span_id else None
    return None


def _list(stages: list[Stage], children: dict[str, list[Stage]]) -> bytes:
    return b"[" + b",".join(_stage_json(stage, children) for stage in stages) + b"]"


def _stage_json(stage: Stage, children: dict[str, list[Stage]]) -> bytes:
    fields = {
        "key": stage.key,
        "first_id": stage.first_id,
        "span_id": stage.span_id,
        "parent_span_id": stage.parent_span_id,
        "event_type": stage.event_type,
        "event_status": stage.event_status,
        "sentence": stage.sentence,
        "started_at": _moment(stage.started),
        "ended_at": _moment(stage.ended),
        "processing_time_ms": stage.processing_time_ms,
        "queue_time_ms": stage.queue_time_ms,
        "attempt": stage.attempt,
        "reason": stage.reason,
        "notes": [{"id": n.id, "attempt": n.attempt, "reason": n.reason, "sentence": n.sentence} for n in stage.notes],
    }
    # Value by value: each comes from an event, which could be encoded; what they are together might be nested too deep.
    data = b",".join(encode(name) + b":" + encode(value) for name, value in stage.data.items())
    below = _list(children[stage.key], children)
    return encode(fields)[:-1] + b',"data":{' + data + b'},"children":' + below + b"}"

"""Events for the fold to chew on, and its documents read back."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from pipeline.store.moments import id_at, timestamp_text
from web.feed.fold import Failure, Message, Note, Stage
from web.feed.folded import message_json

Data = dict[str, Any]
FIRST_ID = 217_000_000_000_000
_FOLDER = Path(__file__).parents[1] / "acceptance" / "transcripts"
TRANSCRIPTS = sorted(path.stem for path in _FOLDER.glob("*.jsonl"))


def event(event_id: int, event_type: str, status: str | None, **more: Any) -> Data:
    """An event with every field that the fold may look at."""
    fields = ("message_id", "span_id", "parent_span_id", "user_message", "event_data", "reason", "attempt")
    return {
        "id": event_id,
        "timestamp": timestamp_text(event_id),
        "event_type": event_type,
        "event_status": status,
        **dict.fromkeys((*fields, "processing_time_ms", "queue_time_ms")),
        **more,
    }


def transcript(name: str, message_id: str = "m") -> list[Data]:
    """A golden transcript as the events of a message, 250.4 ms apart."""
    lines = [json.loads(line) for line in (_FOLDER / f"{name}.jsonl").read_text().splitlines()]
    made: list[Data] = []
    started: dict[str, int] = {}
    for number, line in enumerate(lines):
        event_id = FIRST_ID + number * 250_400
        collection = line.get("collection")
        span = f"{message_id}-{line['type']}-{collection or ''}"
        started.setdefault(span, event_id)
        ended = line["status"] in {"completed", "failed"} and line["type"] != "error"
        made.append(
            event(
                event_id,
                line["type"],
                line["status"],
                message_id=message_id,
                span_id=span,
                parent_span_id=f"{message_id}-{line['parent']}-" if line["parent"] else "of-the-request",
                event_data={"collection": collection, "step": number} if collection else None,
                user_message=f"{number}. {line['type']} {line['status']}",
                reason=line["reason"],
                attempt=line["attempt"],
                processing_time_ms=(event_id - started[span]) // 1000 if ended else None,
                queue_time_ms=number if line["status"] == "started" else None,
            )
        )
    return made


_SPANS = [None, "", "s0", "s1", "s2", "s3"]


@st.composite
def _any_event(draw: st.DrawFn) -> Data:
    span = draw(st.sampled_from(_SPANS))
    status = draw(st.sampled_from(["started", "progress", "completed", "failed", None]))
    place = _SPANS.index(span)
    return event(
        0,
        draw(st.sampled_from(["agent_thinking", "my_step", "error", "saving_message"])),
        status,
        message_id=draw(st.sampled_from(["m1", "m2", None])),
        span_id=span,
        # Never below itself: a page draws no circles.
        parent_span_id=draw(st.sampled_from([None, *_SPANS[2:place], "elsewhere"])),
        user_message=draw(st.sampled_from([None, "", "said é 🔍"])),
        event_data=draw(st.sampled_from([None, {}, {"collection": "a"}, {"attempt": 3}, {"n": [1, {"x": None}]}])),
        reason=draw(st.sampled_from([None, "", "retry", "error", "cancelled"])),
        attempt=draw(st.sampled_from([None, 1, 2, 3])),
        processing_time_ms=draw(st.sampled_from([None, 0, 7, 1_234])),
        queue_time_ms=draw(st.sampled_from([None, 0, 5])),
    )


@st.composite
def runs(draw: st.DrawFn) -> list[Data]:
    """Events of any kind, in order of id."""
    made = draw(st.lists(_any_event(), max_size=25))
    at = FIRST_ID
    for one in made:
        at += draw(st.integers(1, 3_000_000))
        one |= {"id": at, "timestamp": timestamp_text(at)}
    return made


def document(message: Message) -> Data:
    """What a snapshot says of the message."""
    return dict(orjson.loads(message_json(message) + b"}"))


def read_back(told: Data) -> Message:
    """The message that a snapshot tells of."""
    failure = told["failure"]
    message = Message(
        told["message_id"],
        told["status"],
        told["sentence"],
        _id(told["started_at"]),
        _id(told["ended_at"]),
        Failure(**failure) if failure else None,
    )
    message.stages = sorted(_stages(told["stages"]), key=lambda stage: stage.first_id)
    return message


def _stages(told: list[Data]) -> list[Stage]:
    found: list[Stage] = []
    for stage in told:
        fields = {name: value for name, value in stage.items() if name not in {"children", "started_at", "ended_at"}}
        fields["notes"] = [Note(**note) for note in fields["notes"]]
        found.append(Stage(started=_id(stage["started_at"]), ended=_id(stage["ended_at"]), **fields))
        found += _stages(stage["children"])
    return found


def _id(text: str | None) -> int | None:
    return None if text is None else id_at(datetime.datetime.fromisoformat(text))

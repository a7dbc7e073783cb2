"""The golden transcripts, and a run as each transport tells it in the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from pipeline.store import events as stored
from tests.parts.otlp_part import OtlpPart
from tests.parts.stack import KEY, NO_TLS, Stack
from tests.parts.stream_client import StreamClient
from tests.parts.waiting import wait_for
from tests.web.folding import document
from web.feed.fold import fold

Line = dict[str, Any]
_FOLDER = Path(__file__).parent / "transcripts"


def golden(name: str) -> list[Line]:
    """The transcript of that name."""
    return [json.loads(line) for line in (_FOLDER / f"{name}.jsonl").read_text().splitlines()]


def told(events: list[dict[str, Any]]) -> list[Line]:
    """What events say, in the transcripts' words. `parent` is the type of the enclosing span, None for the message."""
    types = {event["span_id"]: event["event_type"] for event in events if event["event_type"] != "error"}
    lines = []
    for event in events:
        line: Line = {"type": event["event_type"], "status": event["event_status"]}
        collection = (event["event_data"] or {}).get("collection")
        if event["event_type"] == "tool_search_documents":
            line["collection"] = collection or _collection(events, event["span_id"])
        line["parent"] = types.get(event["parent_span_id"])
        line["attempt"], line["reason"] = event["attempt"], event["reason"]
        lines.append(line)
    return lines


def _collection(events: list[dict[str, Any]], span_id: str) -> str:
    started = next(e for e in events if e["span_id"] == span_id and e["event_status"] == "started")
    return str(started["event_data"]["collection"])


def side_by_side(lines: list[Line]) -> list[Line]:
    """Lines with what parallel collections say brought into one order: each collection's own order is kept."""
    ordered: list[Line] = []
    block: list[Line] = []
    for line in lines:
        if line["type"] == "tool_search_documents":
            block.append(line)
            continue
        ordered += sorted(block, key=lambda one: one["collection"])
        block = []
        ordered.append(line)
    return ordered + sorted(block, key=lambda one: one["collection"])


def compare_everywhere(stack: Stack, session_id: str, message_id: str, live: list[dict[str, Any]], name: str) -> None:
    """The run as WebSocket, stream, polling and database have it, and as the transcript wants it."""
    live = [event for event in live if event["message_id"] == message_id]
    assert side_by_side(told(live)) == side_by_side(golden(name)), json.dumps(told(live), indent=0)
    polled = [event for event in stack.events(session_id) if event["message_id"] == message_id]
    assert [event["id"] for event in polled] == [event["id"] for event in live]
    assert polled == live
    compare_with_snapshot(stack, session_id, message_id, live)
    with StreamClient(stack.url, session_id, KEY, after=0) as stream:
        stream.until_id(live[-1]["id"])
    assert [event for event in stream.events if event["message_id"] == message_id] == live
    stack.settled()
    rows = stored.session_events(stack.store, session_id, 0, 1_000)
    kept = [json.loads(event.wire) for event in rows if event.message_id == message_id]
    assert kept == live
    assert stack.command("events", "export", "--session", session_id).encode() == b"".join(e.wire + b"\n" for e in rows)
    with stack.store.read() as connection:
        query = text("SELECT id FROM chat_events WHERE message_id = :m ORDER BY id")
        assert [row.id for row in connection.execute(query, {"m": message_id})] == [event["id"] for event in live]
    sequence = [json.loads(event.wire)["seq"] for event in rows]
    assert sequence == list(range(1, len(rows) + 1))


def compare_with_snapshot(stack: Stack, session_id: str, message_id: str, live: list[dict[str, Any]]) -> None:
    """A page that comes late is told the run as a page has it that was there all the time."""
    address = f"{stack.url}/chat/events/{session_id}/snapshot"
    told = httpx.get(address, params={"limit": 500}, headers={"X-API-Key": KEY}, timeout=20, verify=NO_TLS).json()
    assert [event for event in told["events"] if event["message_id"] == message_id] == live
    [message] = [one for one in told["messages"] if one["message_id"] == message_id]
    folded = document(fold(live)[message_id])
    assert {name: message[name] for name in folded} == folded
    assert message["whole"]


def compare_with_trace(otlp: OtlpPart, live: list[dict[str, Any]]) -> None:
    """Each span of the events is one exported span: same id, parent and duration, one trace; and nothing else."""
    endings = {
        event["span_id"]: event
        for event in live
        if event["event_status"] in {"completed", "failed"} and event["event_type"] != "error"
    }
    trace_id = live[0]["trace_id"]
    assert {event["trace_id"] for event in live} == {trace_id}
    spans = wait_for(lambda: found if len(found := otlp.spans(trace_id)) >= len(endings) + 1 else None, "all spans", 20)
    root = [span for span in spans.values() if span.name == "POST /chat"]
    assert len(root) == 1
    assert set(spans) == set(endings) | {root[0].span_id}
    for span_id, event in endings.items():
        span = spans[span_id]
        assert span.name == event["event_type"]
        assert span.parent_span_id == event["parent_span_id"]
        assert abs((span.end_ns - span.start_ns) / 1e6 - event["processing_time_ms"]) <= 1
        assert span.failed == (event["event_status"] == "failed")

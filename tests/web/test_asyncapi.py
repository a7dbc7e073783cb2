"""The AsyncAPI document describes what the feeds' code really says and understands."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipeline.event import Category, Priority, Status
from tests.web.contract_reader import ContractReader, references
from tests.web.site import ADMIN_KEY, Site
from web.contract.asyncapi import FEEDS
from web.feed import frames, requests, texts
from web.feed.transports import BY_NAME, WEBSOCKET, Transport

_TRANSPORTS = {"session": "ws", "stream": "sse", "user": "unified", "operators": "operators"}
_SAID: dict[str, list[bytes]] = {
    "connection": [texts.connected("s-1", "1", 5)],
    "hello": [texts.hello(5, "1"), texts.within("s-2", texts.hello(5, "1"))],
    "reset": [texts.reset(reason, "1", 5) for reason in ("epoch", "future", "history")],
    "bus": [texts.bus(away=True), texts.bus(away=False)],
    "answer": [texts.answer_so_far("m-1", 1, "So"), texts.within("s-2", texts.answer_so_far("m-1", 1, "So"))],
    "keepalive": [texts.keepalive()],
    "pong": [texts.pong()],
    "pong_text": [b"pong"],
    "subscribed": [texts.subscribed("s-2", "1", 5)],
    "unsubscribed": [texts.unsubscribed("s-2"), texts.unsubscribed("s-2", "expired")],
    "refused": [texts.refused("s-2", "not_found"), texts.refused(None, "invalid")],
    "token_accepted": [texts.token_accepted(5.5)],
    "token_refused": [texts.token_refused()],
    "expired": [texts.expired()],
}
_SERVED = {"event", "chunk", "answer_reset"}
"""What Redis's scripts write: compared where a server is."""


@pytest.fixture(scope="module")
def document(site: Site) -> Any:
    """The document, as anybody gets it."""
    return site.get("/api/v1/asyncapi.json", key=None).json


@pytest.fixture(scope="module")
def reader(document: Any) -> ContractReader:
    """Reads the document's schemas."""
    return ContractReader(document)


def payload(document: Any, feed: str, kind: str) -> Any:
    """The schema of a message."""
    return document["components"]["messages"][f"{feed}.{kind}"]["payload"]


def test_the_document_hangs_together(document: Any, site: Site) -> None:
    """Without this a generator would stop at a name that means nothing, or at a schema that is none."""
    assert document["asyncapi"].startswith("3.0.")
    for reference in set(references(document)):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]
    for message in document["components"]["messages"].values():
        Draft202012Validator.check_schema(message["payload"])
    paths = site.get("/api/v1/openapi.json", key=None).json["paths"]  # type: ignore[index]
    described = {channel["address"] for channel in document["channels"].values()}
    assert described == {path for path, item in paths.items() for one in item.values() if _is_feed(path, one)}
    for operation in document["operations"].values():
        own = {one["$ref"] for one in operation["messages"]}
        channel = document["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
        assert {one.rpartition("/")[2] for one in own} <= set(channel["messages"])


def _is_feed(path: str, operation: Any) -> bool:
    ok = operation["responses"].get("200", {}).get("content", {})
    return "101" in operation["responses"] or "text/event-stream" in ok


def _frame_text(frame: bytes) -> bytes:
    length = frame[1]
    return frame[2 + {126: 2, 127: 8}.get(length, 0) :]


def _sse(message: bytes) -> tuple[str, bytes]:
    lines = dict(line.split(b": ", 1) for line in message.strip().split(b"\n"))
    return lines.get(b"event", b"event").decode(), lines[b"data"]


def _told(transport: Transport, kind: str, body: bytes) -> tuple[str, Any]:
    if transport is WEBSOCKET:
        text = _frame_text(transport.message(kind, body))
        return kind, "pong" if text == b"pong" else json.loads(text)
    name, data = _sse(transport.message(kind, body))
    return name, json.loads(data)


def _sent(feed: str) -> Iterator[tuple[str, str]]:
    for kind in FEEDS[feed].sent:
        yield feed, kind


@pytest.mark.parametrize(("feed", "kind"), [*_sent("session"), *_sent("stream")])
def test_what_a_session_is_told_is_as_described(document: Any, reader: ContractReader, feed: str, kind: str) -> None:
    """Without this a client made from the document would not understand what it is told."""
    if kind in _SERVED:
        return
    for body in _SAID[kind]:
        name, said = _told(BY_NAME[_TRANSPORTS[feed]], kind, body)
        assert name == kind
        assert reader.faults(payload(document, feed, kind), said) == []


@pytest.mark.parametrize("feed", ["user", "operators"])
def test_what_a_stream_across_sessions_is_told_is_as_described(
    document: Any, reader: ContractReader, feed: str
) -> None:
    """Without this a client made from the document would not understand what it is told."""
    transport = BY_NAME[_TRANSPORTS[feed]]
    seen = {"event"}
    first = texts.connected_widely(feed, "anna", "1", 5, 0)
    for kind, body in (
        ("connection", first),
        *((kind, _SAID[kind][0]) for kind in ("hello", "reset", "bus", "expired")),
    ):
        name, said = _told(transport, kind, body)
        seen.add(name)
        assert reader.faults(payload(document, feed, name), said) == []
    assert seen == set(FEEDS[feed].sent)


def test_events_are_as_described_on_every_feed(document: Any, reader: ContractReader, site: Site) -> None:
    """Without this a client made from the document would drop events, which are what a feed is for."""
    session_id = str(uuid.uuid4())
    site.emit(session_id, 1, message_id="m-1")
    site.emit(session_id, 1, status=Status.COMPLETED, category=Category.MONITORING, priority=Priority.HIGH)
    assert (
        site.post("/api/v1/events", ADMIN_KEY, json={"type": "custom.x", "session_id": session_id}).status_code == 201
    )
    events = site.page(session_id)["events"]
    assert len(events) == 3
    for event in events:
        wire = json.dumps(event).encode()
        frame = json.loads(_frame_text(frames.event(wire)))
        assert reader.faults(payload(document, "session", "event"), frame) == []
        for feed in ("stream", "user", "operators"):
            name, data = _sse(BY_NAME[_TRANSPORTS[feed]].event(event["id"], wire))
            assert name == ("event" if feed == "stream" else event["event_type"])
            assert reader.faults(payload(document, feed, "event"), json.loads(data)) == []


_UNDERSTOOD: dict[str, list[Any]] = {
    "ping": [{"type": "ping"}],
    "ping_text": ["ping"],
    "token": [{"type": "token", "token": "x"}],
    "unsubscribe": [{"type": "unsubscribe", "session_id": "s-2"}],
    "subscribe": [
        {"type": "subscribe", "session_id": "s-2"},
        {"type": "subscribe", "session_id": "s-2", "after": 0, "epoch": "1", "token": "x"},
        {"type": "subscribe", "session_id": "s-2", "after": "17", "event_type": ["tool_*"], "category": "workflow"},
        {"type": "subscribe", "session_id": "s-2", "event_status": ["failed"], "priority": ["high", "low"]},
    ],
}
_NOT_UNDERSTOOD: list[Any] = [
    {"type": "subscribe", "session_id": "a b"},
    {"type": "subscribe"},
    {"type": "subscribe", "session_id": "s-2", "after": -1},
    {"type": "subscribe", "session_id": "s-2", "after": True},
    {"type": "subscribe", "session_id": "s-2", "epoch": 1},
    {"type": "subscribe", "session_id": "s-2", "category": ["none"]},
    {"type": "subscribe", "session_id": "s-2", "event_type": ["a b"]},
    {"type": "subscribe", "session_id": "s-2", "event_type": ["a"] * 51},
    {"type": "unsubscribe", "session_id": ""},
    {"type": "token", "token": 1},
    {"type": "other"},
    "pang",
]


def _read(said: Any) -> Any:
    return requests.read(said if isinstance(said, str) else json.dumps(said))


def test_what_a_client_may_say_is_understood_and_nothing_else(document: Any, reader: ContractReader) -> None:
    """Without this a client made from the document would be told that its words are unclear."""
    kinds = list(FEEDS["session"].heard)
    assert set(kinds) == set(_UNDERSTOOD)
    for kind, samples in _UNDERSTOOD.items():
        for said in samples:
            assert reader.faults(payload(document, "session", kind), said) == []
            assert not isinstance(_read(said), requests.Unclear | None), said
    for said in _NOT_UNDERSTOOD:
        assert all(reader.faults(payload(document, "session", kind), said) for kind in kinds), said
        assert isinstance(_read(said), requests.Unclear | None), said

"""Secrets planted at every door of a running Spanfeed, and looked for wherever something comes out."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
import redis
from opentelemetry.context import Context
from sqlalchemy import select

from pipeline.bus import open_bus
from pipeline.context import span_id_of
from pipeline.emitter import Emitter
from pipeline.event import Category, Identity, Priority, State, Status
from pipeline.span_feed import SpanFeed
from pipeline.store.models import metadata as tables
from pipeline.tracing import Held, StageSpan, Tracing, report_progress, use_stage_span
from tests.parts.otlp_part import OtlpPart
from tests.parts.stack import Stack
from tests.pipeline.driven import TRACE_ID, DrivenRun
from tests.pipeline.planted import NAMED, NAMED_VALUES, SECRETS

CONTENT = {"gen_ai.prompt": "the prompt about turnips", "gen_ai.output.messages": "the answer about turnips"}
SESSION = "doors"
_GROUP = 12


def _everything_in(client: redis.Redis) -> str:
    """All keys with all they hold."""
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    keys = list(client.scan_iter(count=1_000))
    assert any(client.type(key) == b"stream" for key in keys)
    return "\n".join(_plain((key, read[client.type(key)](key))) for key in keys)


def _plain(value: Any) -> str:
    """Every text in a value; JSON is read, so that an escaped letter hides nothing."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return " ".join(_plain(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple | set):
        return " ".join(map(_plain, value))
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            return value + " " + _plain(orjson.loads(value))
        except ValueError:
            return value
    return str(value)


def _everything_stored(stack: Stack) -> str:
    with stack.store.read() as connection:
        rows = [row._asdict() for table in tables.sorted_tables for row in connection.execute(select(table))]
    return _plain(rows)


class Plant:
    """A stage of a worker's, in this process, that says a secret wherever something can be said."""

    def __init__(self, stack: Stack) -> None:
        self.bus = open_bus(stack.settings())
        self.emitter = Emitter(self.bus)
        self.tracing = Tracing(stack.settings(), [SpanFeed()], "worker")
        self.run = DrivenRun(self.bus, SESSION)
        self.run.submit("think")
        self.run.begin("think", "T")
        held = Held(self.emitter, *self.run.ids, "en", self.run.token, "task-1")
        span_id = span_id_of(self.run.message_id, "agent_thinking")
        self.span = StageSpan(held, "agent_thinking", "agent_thinking", TRACE_ID, span_id)
        self.planted = 0

    def say(self, sentence: str) -> None:
        """Event data, metadata, text, error, progress, a span's name, attributes and exception."""
        identity = Identity(
            "document.uploaded", Category.REALTIME, Priority.NORMAL, SESSION, user_id="u", source_system=sentence
        )
        data = {"text": sentence, "list": [sentence], "deep": {"er": sentence}, sentence: 1, **NAMED}
        state = State(Status.FAILED, sentence, data, {"note": sentence, **NAMED}, sentence, sentence)
        self.planted += 1
        self.emitter.append(identity, state, f"plant:{self.planted}", failed_text=sentence)
        with use_stage_span(self.span, Context()):
            report_progress({"found": sentence, **NAMED}, sentence)
            report_progress({"error_message": sentence})
            attributes = {"app.note": sentence, "server.address": sentence, "app.password": "plain-horse", **CONTENT}
            shown = {"spanfeed.event_type": "tool_own", "spanfeed.data.found": sentence}
            for asked in (attributes, shown):
                try:
                    with self.tracing.tracer().start_as_current_span(sentence, attributes=asked) as span:
                        span.add_event(sentence, {"note": sentence})
                        raise ValueError(sentence)
                except ValueError:
                    continue

    def close(self) -> None:
        """Ends the stage; what waits is sent."""
        self.run.end("think", "T")
        self.tracing.shutdown()
        self.emitter.close()
        self.bus.close_connections()


def test_nothing_planted_comes_out_anywhere(make_stack: Callable[..., Stack], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this a secret that a tool met would lie in Redis, in the database, in traces and in browsers."""
    otlp = OtlpPart()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.url)
    stack = make_stack(OTEL_EXPORTER_OTLP_ENDPOINT=otlp.url, SPANFEED_SPANS_PER_STAGE_LIMIT="100000", LOG_LEVEL="DEBUG")
    stack.start(worker=False)
    with stack.feed(SESSION) as feed:
        plant = Plant(stack)
        for _, sentence in SECRETS:
            plant.say(sentence)
        plant.close()
        feed.until_event("agent_thinking", "completed", seconds=60)
        stack.settled()
        outcomes = {
            "Redis": _everything_in(stack.redis.client()),
            "database": _everything_stored(stack),
            "WebSocket": _plain(feed.frames),
            "polling": _plain(stack.events(SESSION)),
            "export": _plain([orjson.loads(line) for line in stack.command("events", "export").splitlines()]),
            "OTLP": otlp.received.decode("utf-8", "replace"),
            "logs": "".join(stack.log(name) for name in ("web", "recorder")),
        }
    otlp.close()
    planted = [secret for secret, _ in SECRETS] + [f"plain-{word}" for word in NAMED_VALUES]
    assert {place: [s for s in planted if s in text] for place, text in outcomes.items()} == {
        place: [] for place in outcomes
    }
    # Everything went out, or nothing would have been proven.
    assert len(feed.events) >= len(SECRETS) * 4
    for place in ("Redis", "database", "WebSocket", "polling", "export", "OTLP"):
        assert "document.uploaded" in outcomes[place] or place == "OTLP"
        assert "[mail]" in outcomes[place]
    assert not any(text in outcomes["OTLP"] for text in CONTENT.values())


def _knock(client: httpx.Client, sentences: list[str]) -> None:
    """Puts secrets wherever a request can carry some; most of them are refused."""
    sentence = " ; ".join(sentences)
    quoted = urllib.parse.quote(sentence, safe="")
    plain = sentence.encode("ascii", "ignore").decode()
    line = plain.replace("\n", " ").replace("\r", " ").strip()
    for header in ("User-Agent", "Referer", "X-Request-ID", "Accept-Language", "Prefer", "If-None-Match", "Origin"):
        client.get(f"/chat/events/{SESSION}", headers={header: line})
    for header in ("X-API-Key", "Authorization", "Cookie", "Idempotency-Key", "Last-Event-ID", "X-Forwarded-For"):
        client.post("/chat/", headers={header: line}, json={"message": ""})
    client.get("/health", headers={"traceparent": line, "tracestate": line, "baggage": f"k={line}"})
    for path in (
        f"/chat/events/{SESSION}?token={quoted}",
        f"/chat/events/{SESSION}?after={quoted}&limit={quoted}&event_type={quoted}&other={quoted}",
        f"/chat/events/{SESSION}/stream?token={quoted}",
        f"/chat/{quoted}",
        f"/{quoted}",
        f"/api/v1/keys/{quoted}",
    ):
        client.get(path, headers={"X-API-Key": ""} if "token" in path else {})
    client.get(f"/chat/ws/events/{SESSION}?token={quoted}", headers={"Upgrade": "websocket", "X-API-Key": ""})
    for body in (sentence.encode(), orjson.dumps(sentence), orjson.dumps({sentence: sentence, "message": 7})):
        client.post("/chat/", content=body, headers={"Content-Type": "application/json"})
    client.post("/chat/", content=sentence.encode(), headers={"Content-Type": "text/plain"})
    client.post(f"/chat/{quoted}", json={"message": "", "language": sentence, "user_id": sentence})
    client.post("/api/v1/login", json={"name": line[:100] or "x", "password": sentence})
    client.post("/api/v1/keys", json={"name": "n", "scopes": [sentence], sentence: sentence})
    client.post("/api/v1/event-types", json={"name": sentence, "texts": {"en": sentence}, "schema": {sentence: 1}})
    event = {
        "event_type": "custom.planted",
        "session_id": SESSION,
        "data": {"text": sentence, "deep": [{"er": one} for one in sentences], **dict.fromkeys(sentences, 1), **NAMED},
        "metadata": {"note": sentences, **NAMED},
    }
    assert client.post("/api/v1/events", json=event).status_code == 201
    assert client.post("/api/v1/events", json=[event]).status_code == 200


def test_nothing_that_a_request_carries_is_kept_or_told(make_stack: Callable[..., Stack]) -> None:
    """Without this a password in a header, an address or a mistaken request would lie in logs, traces and exports."""
    otlp = OtlpPart()
    stack = make_stack(OTEL_EXPORTER_OTLP_ENDPOINT=otlp.url, LOG_LEVEL="DEBUG", SPANFEED_LOGIN_TRIES_LIMIT="100000")
    stack.start(worker=False, relay=True)
    with stack.feed(SESSION) as feed, stack.client() as client:
        sentences = [sentence for _, sentence in SECRETS]
        groups = [sentences[start : start + _GROUP] for start in range(0, len(sentences), _GROUP)]
        for number, group in enumerate(groups, 1):
            _knock(client, group)
            # A client that does not read would lose its connection.
            while len(feed.events) < 2 * number:
                feed.next(60)
        stack.settled()
        places = {
            "Redis": _everything_in(stack.redis.client()),
            "database": _everything_stored(stack),
            "WebSocket": _plain(feed.frames),
            "polling": _plain(stack.events(SESSION)),
            "export": _plain([orjson.loads(line) for line in stack.command("events", "export").splitlines()]),
            "audit": stack.command("audit", "export"),
            "metrics": client.get("/metrics").text,
            "OTLP": otlp.received.decode("utf-8", "replace"),
            "logs": "".join(stack.log(name) for name in ("web", "recorder", "relay")),
        }
    otlp.close()
    planted = [secret for secret, _ in SECRETS] + [f"plain-{word}" for word in NAMED_VALUES]
    assert len(SECRETS) >= 60
    assert {place: [s for s in planted if s in text] for place, text in places.items()} == {name: [] for name in places}
    assert {event["event_type"] for event in feed.events} == {"custom.planted"}
    for place in ("Redis", "database", "WebSocket", "polling", "export"):
        assert "[mail]" in places[place]

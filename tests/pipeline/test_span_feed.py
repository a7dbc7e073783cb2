"""Ordinary spans inside a stage, live: to operators, or to the user if they ask; and ended when their process died."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import redis
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pipeline.bus import Bus, keys, open_bus
from pipeline.context import span_id_of
from pipeline.emitter import Emitter
from pipeline.event import Reason
from pipeline.span_feed import SpanFeed
from pipeline.tracing import Held, StageSpan, Tracing, use_stage_span
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from tests.pipeline.driven import TRACE_ID, DrivenRun


class Stage:
    """A held think stage with a tracer whose spans are told."""

    def __init__(self, bus: Bus, language: str = "en") -> None:
        self.bus = bus
        self.run = DrivenRun(bus)
        self.run.submit("think")
        self.run.begin("think", "T")
        self.emitter = Emitter(bus)
        self.held = Held(self.emitter, *self.run.ids, language, self.run.token, "task-1")
        self.span_id = span_id_of(self.run.message_id, "agent_thinking")
        self.span = StageSpan(self.held, "agent_thinking", "agent_thinking", TRACE_ID, self.span_id)
        self.exported = InMemorySpanExporter()
        self.tracing = Tracing(bus.settings, [SpanFeed(), SimpleSpanProcessor(self.exported)])
        self.tracer = self.tracing.tracer()

    def events(self) -> list[dict[str, Any]]:
        """The events of ordinary spans, from the log."""
        entries = self.bus.log.read_log(0, 2**53, 1_000)
        return [e for e in (orjson.loads(entry.wire or b"") for entry in entries) if e["span_id"] != self.span_id]


@pytest.fixture
def stage(valkey_bus: Bus) -> Iterator[Stage]:
    """A stage that is held."""
    made = Stage(valkey_bus)
    yield made
    made.tracing.shutdown()
    made.emitter.close()


def shape(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Types and statuses."""
    return [(e["event_type"], e["event_status"]) for e in events]


def test_an_ordinary_span_is_shown_to_operators(stage: Stage) -> None:
    """An operator would not see what a stage is waiting for."""
    seen = {"http.request.method": "GET", "server.address": "model", "url.full": "http://model?q=secret"}
    with use_stage_span(stage.span, Context()), stage.tracer.start_as_current_span("POST /v1", attributes=seen):
        assert shape(stage.events()) == [("span", "started")]
    started, ended = stage.events()
    assert shape([ended]) == [("span", "completed")]
    assert started["event_data"] == {
        "name": "POST /v1",
        "session_id": "s-1",
        "http.request.method": "GET",
        "server.address": "model",
    }
    (exported,) = stage.exported.get_finished_spans()
    assert exported.context is not None
    for event in (started, ended):
        assert (event["category"], event["priority"]) == ("monitoring", "low")
        assert (event["session_id"], event["seq"], event["user_message"]) == (None, None, None)
        assert (event["trace_id"], event["parent_span_id"], event["task_id"]) == (TRACE_ID, stage.span_id, "task-1")
        assert event["span_id"] == format(exported.context.span_id, "016x")
    assert (started["processing_time_ms"], ended["processing_time_ms"] >= 0) == (None, True)
    assert stage.run.transcript() == "T["


def test_a_span_that_asks_for_it_is_shown_to_the_user(stage: Stage) -> None:
    """Your own steps could not be shown to users."""
    wanted: dict[str, Any] = {
        "spanfeed.event_type": "tool_search_webpages",
        "spanfeed.data.count": 4,
        "http.request.method": "GET",
    }
    with use_stage_span(stage.span, Context()), stage.tracer.start_as_current_span("web", attributes=wanted) as span:
        span.set_attribute("spanfeed.data.count", 9)
    started, ended = stage.run.events()[1:]
    assert shape([started, ended]) == [("tool_search_webpages", "started"), ("tool_search_webpages", "completed")]
    assert (started["user_message"], started["event_data"]) == ("🌐 Searching web content...", {"count": 4})
    assert (ended["user_message"], ended["event_data"]) == ("✅ Web search complete", {"count": 9})
    assert [started["seq"], ended["seq"]] == [2, 3]
    assert started["parent_span_id"] == stage.span_id


def test_a_custom_type_still_says_something(stage: Stage) -> None:
    """A user would see an empty line."""
    with use_stage_span(stage.span, Context()):
        stage.tracer.start_span("x", attributes={"spanfeed.event_type": "custom.step"}).end()
    assert [e["user_message"] for e in stage.run.events()[1:]] == ["custom.step:started", "custom.step:completed"]


def test_a_name_that_is_no_type_costs_the_event_only(stage: Stage) -> None:
    """A typing error in an attribute would bring the stage down."""
    with use_stage_span(stage.span, Context()):
        stage.tracer.start_span("x", attributes={"spanfeed.event_type": "no such type!"}).end()
        stage.tracer.start_span("y").end()
    assert [e["event_data"]["name"] for e in stage.events()] == ["y", "y"]
    assert [span.name for span in stage.exported.get_finished_spans()] == ["x", "y"]


def test_a_span_that_fails_is_shown_as_failed(stage: Stage) -> None:
    """A broken call would be shown as a success."""

    def fail() -> None:
        with stage.tracer.start_as_current_span("call", attributes={"error.type": "Timeout"}):
            raise ValueError("what the user wrote")

    with use_stage_span(stage.span, Context()), pytest.raises(ValueError, match="wrote"):
        fail()
    ended = stage.events()[-1]
    assert (ended["event_status"], ended["reason"], ended["error_type"]) == ("failed", "error", "Timeout")
    assert "wrote" not in orjson.dumps(ended).decode()


def test_children_hang_below_their_parents(stage: Stage) -> None:
    """The live tree would be a heap."""
    with use_stage_span(stage.span, Context()), stage.tracer.start_as_current_span("outer"):
        stage.tracer.start_span("inner").end()
    outer, inner = stage.events()[:2]
    assert inner["parent_span_id"] == outer["span_id"]
    assert shape(stage.events()) == [("span", s) for s in ("started", "started", "completed", "completed")]


def test_a_span_may_end_in_another_thread_and_after_its_stage(stage: Stage) -> None:
    """The live tree would show it as open for ever."""
    with use_stage_span(stage.span, Context()):
        span = stage.tracer.start_span("late")
    thread = threading.Thread(target=span.end)
    thread.start()
    thread.join(10)
    assert shape(stage.events()) == [("span", "started"), ("span", "completed")]


def test_a_span_outside_of_any_stage_is_nobodys_event(stage: Stage) -> None:
    """The web server's own spans would fill the log."""
    with stage.tracer.start_as_current_span("alone"):
        pass
    token = context.attach(trace.set_span_in_context(stage.span, Context()))
    stage.tracer.start_span("beside").end()
    context.detach(token)
    assert stage.events() == []
    assert len(stage.exported.get_finished_spans()) == 2


def test_spans_of_a_stage_are_limited(valkey_bus: Bus) -> None:
    """A loop with a span in it would flood the log and slow the answer down."""
    bus = open_bus(dataclasses.replace(valkey_bus.settings, spans_per_stage_limit=3))
    stage = Stage(bus)
    with use_stage_span(stage.span, Context()):
        for n in range(6):
            stage.tracer.start_span(str(n)).end()
    assert [e["event_data"]["name"] for e in stage.events()] == ["0", "0", "1", "1", "2", "2"]
    assert len(stage.exported.get_finished_spans()) == 6
    stage.tracing.shutdown()
    bus.close_connections()


def test_without_redis_the_work_goes_on(stage: Stage, valkey: RedisPart) -> None:
    """Without this the chat would fail because an event about it could not be written, or the event would be lost."""
    valkey.stop()
    with use_stage_span(stage.span, Context()):
        stage.tracer.start_span("quiet").end()
        assert [span.name for span in stage.exported.get_finished_spans()] == ["quiet"]
        valkey.start()
    wait_for(lambda: not stage.emitter.pending, "the sending of the spool")
    assert shape(stage.events()) == [("span", "started"), ("span", "completed")]


def test_whatever_redis_answers_the_work_goes_on(stage: Stage, valkey_raw: redis.Redis) -> None:
    """A database call would raise because Redis refused the event that tells of it."""
    valkey_raw.delete(keys.LOG)
    valkey_raw.set(keys.LOG, "not a stream")
    with use_stage_span(stage.span, Context()):
        stage.tracer.start_span("quiet").end()
    assert [span.name for span in stage.exported.get_finished_spans()] == ["quiet"]


def test_spans_of_a_process_that_died_are_ended(stage: Stage, valkey_raw: redis.Redis) -> None:
    """An operator's live tree, and a user's page, would show work that nobody does any more."""
    with use_stage_span(stage.span, Context()):
        stage.tracer.start_span("ended").end()
        left = stage.tracer.start_span("left")
        asked = stage.tracer.start_span("web", attributes={"spanfeed.event_type": "tool_search_webpages"})
    for _ in range(2):
        stage.run.release("think", reason=Reason.WORKER_LOST)
    failed = [e for e in stage.events() if e["event_status"] == "failed"]
    assert {(e["event_type"], e["reason"]) for e in failed} == {
        ("span", "worker_lost"),
        ("tool_search_webpages", "worker_lost"),
    }
    assert len(failed) == 2
    assert {e["span_id"] for e in failed} == {format(s.get_span_context().span_id, "016x") for s in (left, asked)}
    assert shape(stage.run.events()[1:]) == [
        ("tool_search_webpages", "started"),
        ("tool_search_webpages", "failed"),
        ("agent_thinking", "progress"),
    ]
    # The process was only asleep: what it ends now has ended.
    left.end()
    asked.end()
    assert len([e for e in stage.events() if e["event_status"] in {"failed", "completed"}]) == 3
    assert not valkey_raw.exists(keys.spans(stage.run.message_id))


def test_a_users_span_that_was_cut_off_says_so(stage: Stage) -> None:
    """A user would see an empty line where the work broke off."""
    with use_stage_span(stage.span, Context()):
        stage.tracer.start_span("web", attributes={"spanfeed.event_type": "tool_search_webpages"})
    stage.run.release("think", reason=Reason.WORKER_LOST)
    ended = stage.run.events()[-2]
    assert ended["event_status"] == "failed"
    assert ended["user_message"]
    assert ended["processing_time_ms"] is not None


def test_what_keeps_open_spans_expires(stage: Stage, valkey_raw: redis.Redis) -> None:
    """Redis would keep spans of processes that were never looked for."""
    with use_stage_span(stage.span, Context()):
        stage.tracer.start_span("left")
    assert 0 < valkey_raw.pttl(keys.spans(stage.run.message_id)) <= stage.bus.settings.run_ttl_seconds * 1000

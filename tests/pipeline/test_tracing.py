"""A stage's own span: progress from anywhere inside it, and ordinary spans as its children."""

from __future__ import annotations

import logging

import pytest
import redis
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan

from pipeline.bus import Bus, keys
from pipeline.context import span_id_of
from pipeline.emitter import Emitter
from pipeline.tracing import Held, StageSpan, Tracing, current_stage_span, report_progress, use_stage_span
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from tests.pipeline.driven import TRACE_ID, DrivenRun


def stage_span(run: DrivenRun, language: str = "en") -> StageSpan:
    """The span of the think stage that `run` holds."""
    held = Held(Emitter(run.bus), run.session_id, run.message_id, language, run.token, "task-1")
    span_id = span_id_of(run.message_id, "agent_thinking")
    return StageSpan(held, "agent_thinking", "agent_thinking", TRACE_ID, span_id)


@pytest.fixture
def run(valkey_bus: Bus) -> DrivenRun:
    """A run whose think stage is held."""
    driven = DrivenRun(valkey_bus)
    driven.submit("think")
    driven.begin("think", "T")
    return driven


def test_progress_outside_of_a_stage_does_nothing() -> None:
    """A tool that tells progress could not be used, or tested, without a chat around it."""
    assert current_stage_span() is None
    assert report_progress({"count": 1}) is False


def test_progress_from_inside_a_stage(run: DrivenRun) -> None:
    """A user would not learn how far a stage is."""
    with use_stage_span(stage_span(run, "fr"), Context()) as span:
        assert current_stage_span() is span
        assert report_progress()
        assert report_progress({"step": 2}, "Half way")
    assert report_progress() is False
    first, second = run.events()[1:]
    assert first["user_message"] == "🧠 Compréhension du contexte et des besoins..."
    assert (second["user_message"], second["event_data"]) == ("Half way", {"step": 2})
    assert (first["task_id"], first["span_id"], first["event_data"]) == ("task-1", span_id_of(*_thinking(run)), None)
    assert run.transcript() == "T[ T~ T~"


def _thinking(run: DrivenRun) -> tuple[str, str]:
    return run.message_id, "agent_thinking"


def test_progress_fills_the_catalogues_sentence(valkey_bus: Bus) -> None:
    """A user would read that `{count}` matches were found."""
    run = DrivenRun(valkey_bus)
    run.submit("search")
    run.begin("search", "S(docs)")
    held = Held(Emitter(valkey_bus), *run.ids, "en", run.token, "task-1")
    name = "tool_search_documents/docs"
    span = StageSpan(held, name, "tool_search_documents", TRACE_ID, span_id_of(run.message_id, name))
    with use_stage_span(span, Context()):
        assert report_progress({"count": 3})
    assert run.events()[-1]["user_message"] == "🔍 Found 3 potential matches..."


def test_progress_never_raises(run: DrivenRun, valkey: RedisPart, caplog: pytest.LogCaptureFixture) -> None:
    """Without this the chat would fail because something could not be told."""
    span = stage_span(run)
    with use_stage_span(span, Context()), caplog.at_level(logging.WARNING):
        assert report_progress({"huge": "x" * 2_000_000}) is False
        assert [record.getMessage().split(":")[0] for record in caplog.records] == ["a progress event was dropped"]
        valkey.stop()
        assert report_progress({"count": 1})
        valkey.start()
        wait_for(lambda: not span.held.emitter.pending, "the sending of the spool")
    assert run.transcript() == "T[ T~"
    assert run.events()[-1]["event_data"] == {"count": 1}


def test_progress_never_raises_whatever_redis_answers(run: DrivenRun, valkey_raw: redis.Redis) -> None:
    """The chat would fail because Redis refused an event for a reason that nobody thought of."""
    valkey_raw.delete(keys.LOG)
    valkey_raw.set(keys.LOG, "not a stream")
    with use_stage_span(stage_span(run), Context()):
        assert report_progress({"count": 1}) is False


def test_a_worker_that_lost_its_stage_tells_nothing(run: DrivenRun) -> None:
    """A worker that woke up late would speak into the next try's events."""
    span = stage_span(run)
    run.release("think")
    with use_stage_span(span, Context()):
        assert report_progress({"count": 1}) is False
    assert run.transcript() == "T[ T~"


def test_spans_of_libraries_are_children_of_the_stage(run: DrivenRun) -> None:
    """The trace would fall into pieces that nobody can put together."""
    tracing = Tracing(run.bus.settings)
    with use_stage_span(stage_span(run), Context()), tracing.tracer().start_as_current_span("child") as child:
        own = child.get_span_context()
        assert format(own.trace_id, "032x") == TRACE_ID
        assert isinstance(child, ReadableSpan)
        assert child.parent is not None
        assert format(child.parent.span_id, "016x") == span_id_of(*_thinking(run))
    assert not trace.get_current_span().get_span_context().is_valid
    tracing.shutdown()


def test_only_what_says_how_the_work_went_leaves_the_process(run: DrivenRun) -> None:
    """What a user wrote would stand in events, in the record and at the collector."""
    span = stage_span(run)
    span.set_attribute("gen_ai.request.model", "m")
    span.set_attributes({"gen_ai.usage.input_tokens": 7, "gen_ai.prompt": "secret", "db.statement": "secret"})
    assert span.is_recording()
    assert span.shown_attributes() == {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7}

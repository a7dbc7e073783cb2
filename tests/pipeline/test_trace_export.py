"""The exported spans of stages: one for each ending, in agreement with its events."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pipeline import settings as settings_table
from pipeline.bus import Bus
from pipeline.settings import Settings
from pipeline.store.rows import Row, row_of
from pipeline.trace_export import TraceExport
from pipeline.tracing import Tracing
from tests.parts.otlp_part import OtlpPart
from tests.parts.ports import free_port
from tests.pipeline.driven import TRACE_ID, DrivenRun

EPOCH_NS = 1_577_836_800_000_000_000


@pytest.fixture
def otlp(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpPart]:
    """A collector that the standard variables name."""
    part = OtlpPart()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", part.url)
    yield part
    part.close()


def exporting(otlp: OtlpPart, **environment: str) -> Settings:
    """Settings that name the collector."""
    return settings_table.load({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url, **environment})


def rows_of(run: DrivenRun) -> list[Row]:
    """The run's events as they are recorded."""
    return [row_of(entry.wire or b"") for entry in run.bus.log.read_log(0, 2**53, 1_000)]


def told(settings: Settings, *batches: list[Row]) -> None:
    """Exports the batches, and returns when they are sent."""
    export = TraceExport(settings)
    for batch in batches:
        export.tell(batch)
    export.close()


def _failed_run(bus: Bus) -> DrivenRun:
    run = DrivenRun(bus, user_id="u-1")
    run.submit()
    run.stage("receive", "R", to="think")
    run.begin("think", "T")
    run.bus.close(*run.ids, run.token, run.closing("T", took_us=250_000))
    run.end("think", to="search")
    run.begin("search", "S(a)", "S(b)")
    run.release("search")
    run.begin("search", "S(a)", "S(b)")
    run.close("S(a)")
    run.fail("search", reason="timeout")
    return run


def test_spans_and_events_agree_one_to_one(valkey_bus: Bus, otlp: OtlpPart) -> None:
    """A developer's trace and a user's events would tell two different stories."""
    run = _failed_run(valkey_bus)
    told(exporting(otlp), rows_of(run))
    spans = otlp.spans(TRACE_ID)
    ends = {e["span_id"]: e for e in run.events() if e["event_status"] in {"completed", "failed"}}
    starts = {e["span_id"]: e for e in run.events() if e["event_status"] == "started"}
    # The error event is the run's, not a span's.
    assert set(spans) == set(starts) == {span_id for span_id, e in ends.items() if e["event_type"] != "error"}
    for span_id, span in spans.items():
        start, end = starts[span_id], ends[span_id]
        assert (span.name, span.parent_span_id) == (start["event_type"], start["parent_span_id"])
        assert span.start_ns == start["id"] * 1000 + EPOCH_NS
        assert span.end_ns - span.start_ns == end["processing_time_ms"] * 1_000_000
        assert span.failed == (end["event_status"] == "failed")
        assert span.attributes["session.id"] == "s-1"
        assert span.attributes["user.id"] == "u-1"
        assert span.attributes["spanfeed.message_id"] == run.message_id
    (failed,) = [span for span in spans.values() if span.failed]
    assert (failed.attributes["spanfeed.reason"], failed.attributes["error.type"]) == ("timeout", "Broken")
    assert failed.attributes["spanfeed.attempt"] == 2


def test_a_span_whose_start_was_recorded_earlier_has_its_length(valkey_bus: Bus, otlp: OtlpPart) -> None:
    """After a restart of the recorder, spans would be missing, or begin in the wrong year."""
    run = _failed_run(valkey_bus)
    rows = rows_of(run)
    whole = exporting(otlp)
    told(whole, [row for row in rows if row.event_status in {"completed", "failed"}])
    (thought,) = [span for span in otlp.spans(TRACE_ID).values() if span.name == "agent_thinking"]
    end = next(e for e in run.events() if e["event_type"] == "agent_thinking" and e["event_status"] == "completed")
    assert thought.end_ns == end["id"] * 1000 + EPOCH_NS
    assert thought.end_ns - thought.start_ns == 250_000_000


BROKEN: list[dict[str, Any]] = [
    {"trace_id": None},
    {"trace_id": "no hex"},
    {"span_id": "no hex"},
    {"span_id": None},
    {"parent_span_id": None},
    {"metadata": msgspec.Raw(b'"text"')},
    {"metadata": msgspec.Raw(b'{"attributes":5}')},
]


def test_a_row_that_is_no_span_does_not_stop_the_others(valkey_bus: Bus, otlp: OtlpPart) -> None:
    """One event with a broken trace id would end the recorder, again and again."""
    run = DrivenRun(valkey_bus)
    run.submit()
    run.stage("receive", "R", to="think")
    good = rows_of(run)
    ended = good[-1]
    broken = [
        msgspec.structs.replace(ended, **({"span_id": f"{number:016x}"} | wrong))
        for number, wrong in enumerate(BROKEN, start=1)
    ]
    told(exporting(otlp), broken, good)
    assert [span.name for span in otlp.spans(TRACE_ID).values() if span.span_id == ended.span_id] == [
        "message_received"
    ]


def test_a_given_id_does_not_stick(valkey_bus: Bus, otlp: OtlpPart) -> None:
    """Every later span of the process would have the id of one stage."""
    export = TraceExport(exporting(otlp))
    export.tell(rows_of(_failed_run(valkey_bus)))
    tracing = Tracing(exporting(otlp))
    ids = {tracing.tracer().start_span("own").get_span_context().span_id for _ in range(3)}
    assert len(ids) == 3
    export.close()
    tracing.shutdown()


def test_without_an_endpoint_nothing_is_exported(valkey_bus: Bus, otlp: OtlpPart) -> None:
    """`none` would be ignored, or every newcomer see errors of a collector that is not there."""
    rows = rows_of(_failed_run(valkey_bus))
    told(exporting(otlp, OTEL_TRACES_EXPORTER="none"), rows)
    told(settings_table.load({}), rows)
    assert otlp.spans(TRACE_ID) == {}


def test_a_collector_that_is_away_holds_nobody_up(valkey_bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record would wait for the collector, and the recorder could not be stopped."""
    rows = rows_of(_failed_run(valkey_bus))
    endpoint = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    export = TraceExport(settings_table.load({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}))
    started = time.monotonic()
    for _ in range(50):
        export.tell(rows)
    assert time.monotonic() - started < 2
    export.close()
    assert time.monotonic() - started < 15


def test_the_span_of_a_tool_of_ones_own(otlp: OtlpPart, valkey_bus: Bus) -> None:
    """Without this a developer's tool would be missing in the trace, or stand there twice when it is a plain span."""
    rows = [row for row in rows_of(_failed_run(valkey_bus)) if row.event_type == "tool_search_documents"]
    own = [msgspec.structs.replace(row, event_type="tool_opening_hours") for row in rows]
    plain = [msgspec.structs.replace(row, event_type="tool_look_up", attempt=None) for row in rows]
    told(exporting(otlp), own, plain)
    assert {span.name for span in otlp.spans(TRACE_ID).values()} == {"tool_opening_hours"}

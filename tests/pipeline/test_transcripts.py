"""The golden transcripts, as far as the bus makes them: whole runs compared, not single events."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.bus import Bus
from pipeline.event import Status
from tests.pipeline.driven import DrivenRun


def _asked(run: DrivenRun) -> None:
    run.submit()
    run.stage("receive", "R", to="think")


def _searched(run: DrivenRun) -> None:
    _asked(run)
    run.stage("think", "T", to="search", closes=())
    run.begin("search", "S(docs)")
    run.progress("S(docs)", count=3)
    run.close("S(docs)")
    run.end("search", "T", to="generate")


def first_question(run: DrivenRun) -> None:
    """Transcript 1."""
    _searched(run)
    run.stage("generate", "G", to="save")
    run.stage("save", "V")


def follow_up(run: DrivenRun) -> None:
    """Transcript 2."""
    run.submit()
    run.stage("receive", "R", to="history", closes=())
    run.stage("history", "H", to="think", closes=("H", "R"))
    run.stage("think", "T", to="search", closes=())
    run.begin("search", "S(docs)")
    run.progress("S(docs)", count=3)
    run.end("search", "S(docs)", "T", to="generate")
    run.stage("generate", "G", to="save")
    run.stage("save", "V")


def greeting(run: DrivenRun) -> None:
    """Transcript 3."""
    _asked(run)
    run.stage("think", "T", to="generate")
    run.stage("generate", "G", to="save")
    run.stage("save", "V")


def one_collection_fails(run: DrivenRun) -> None:
    """Transcript 4."""
    _asked(run)
    run.stage("think", "T", to="search", closes=())
    run.begin("search", "S(a)", "S(b)")
    run.progress("S(a)", count=1)
    run.close("S(a)")
    run.close("S(b)", Status.FAILED)
    run.end("search", "T", to="generate")
    run.stage("generate", "G", to="save")
    run.stage("save", "V")


def all_collections_fail(run: DrivenRun) -> None:
    """Transcript 5."""
    _asked(run)
    run.stage("think", "T", to="search", closes=())
    run.begin("search", "S(a)", "S(b)")
    run.close("S(a)", Status.FAILED)
    run.close("S(b)", Status.FAILED)
    run.end("search", "T", to="generate")
    run.stage("generate", "G", to="save")
    run.stage("save", "V")


def transient_fault_in_generate(run: DrivenRun) -> None:
    """Transcript 6."""
    _searched(run)
    run.begin("generate", "G")
    assert run.release("generate") == 2
    run.stage("generate", "G", to="save")
    run.stage("save", "V")


def child_killed_in_search(run: DrivenRun) -> None:
    """Transcript 7; one collection had been searched before the child was lost."""
    _asked(run)
    run.stage("think", "T", to="search", closes=())
    run.begin("search", "S(a)", "S(b)", holder="node/7")
    run.close("S(b)")
    assert run.release("search", ("holder", "node/7"), "worker_lost") == 2
    run.begin("search", "S(a)", "S(b)", holder="node/8")
    run.progress("S(a)", count=1)
    assert run.close("S(b)") is None
    run.close("S(a)")
    run.end("search", "T", to="generate")
    run.stage("generate", "G", to="save")
    run.stage("save", "V")


def tries_used_up_in_generate(run: DrivenRun) -> None:
    """Transcript 8."""
    _searched(run)
    for expected in (2, 3, None):
        run.begin("generate", "G")
        assert run.release("generate") == expected
    run.fail("generate")


def hard_time_limit_in_think(run: DrivenRun) -> None:
    """Transcript 9, by the worker's main process."""
    _asked(run)
    run.begin("think", "T", holder="node/9")
    run.fail("think", ("holder", "node/9"), "timeout")


def cancelled_while_streaming(run: DrivenRun) -> None:
    """Transcript 10."""
    _searched(run)
    run.begin("generate", "G")
    run.bus.chunk(*run.ids, run.token, 1, 0, "Leave accrues")
    run.fail("generate", ("any", ""), "cancelled", "cancelled")


def cancelled_while_queued(run: DrivenRun) -> None:
    """Transcript 11."""
    _asked(run)
    run.fail("", ("any", ""), "cancelled", "cancelled")


SEARCHED = "R[ R] T[ S(docs)[ S(docs)~ S(docs)] T]"
TRANSCRIPTS: list[tuple[Callable[[DrivenRun], None], str, str]] = [
    (first_question, f"{SEARCHED} G[ G] V[ V]", "completed"),
    (follow_up, "R[ H[ H] R] T[ S(docs)[ S(docs)~ S(docs)] T] G[ G] V[ V]", "completed"),
    (greeting, "R[ R] T[ T] G[ G] V[ V]", "completed"),
    (one_collection_fails, "R[ R] T[ S(a)[ S(b)[ S(a)~ S(a)] S(b)! T] G[ G] V[ V]", "completed"),
    (all_collections_fail, "R[ R] T[ S(a)[ S(b)[ S(a)! S(b)! T] G[ G] V[ V]", "completed"),
    (transient_fault_in_generate, f"{SEARCHED} G[ G~ G] V[ V]", "completed"),
    (child_killed_in_search, "R[ R] T[ S(a)[ S(b)[ S(b)] S(a)~ S(a)~ S(a)] T] G[ G] V[ V]", "completed"),
    (tries_used_up_in_generate, f"{SEARCHED} G[ G~ G~ G! E!", "failed"),
    (hard_time_limit_in_think, "R[ R] T[ T! E!", "failed"),
    (cancelled_while_streaming, f"{SEARCHED} G[ G! E!", "cancelled"),
    (cancelled_while_queued, "R[ R] E!", "cancelled"),
]


@pytest.mark.parametrize(("play", "expected", "status"), TRANSCRIPTS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_run_reads_as_its_transcript(bus: Bus, play: Callable[[DrivenRun], None], expected: str, status: str) -> None:
    """A page would show a stage that never ends, ends twice, or comes out of order."""
    run = DrivenRun(bus)
    play(run)
    assert run.transcript() == expected
    assert bus.run_state(run.message_id).status == status
    events = run.events()
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    for event in events:
        finished = event["event_status"] in {"completed", "failed"}
        assert (event["processing_time_ms"] is not None) == (finished and event["event_type"] != "error")
        assert (event["queue_time_ms"] is not None) == (event["event_status"] == "started")


def test_spans_form_the_tree_that_transcripts_promise(bus: Bus) -> None:
    """The developer's trace and the operator's live tree would hang together wrongly."""
    run = DrivenRun(bus)
    follow_up(run)
    ends = {event["event_type"]: event for event in run.events()}
    assert ends["loading_history"]["parent_span_id"] == ends["message_received"]["span_id"]
    assert ends["tool_search_documents"]["parent_span_id"] == ends["agent_thinking"]["span_id"]
    assert len({event["span_id"] for event in run.events()}) == 6
    assert len({event["trace_id"] for event in run.events()}) == 1


def test_two_runs_of_one_session_do_not_mix(bus: Bus) -> None:
    """A second question asked in the meantime would end the first one's stages."""
    one, two = DrivenRun(bus), DrivenRun(bus)
    for run in (one, two):
        run.submit()
        run.begin("receive", "R")
    one.fail("receive")
    two.end("receive", "R", to="think")
    assert (one.transcript(), two.transcript()) == ("R[ R! E!", "R[ R]")
    assert (bus.run_state(one.message_id).status, bus.run_state(two.message_id).status) == ("failed", "live")

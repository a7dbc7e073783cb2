"""Ending a run that cannot be completed: everything open fails, children first, then the error, then nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
import redis

from pipeline.bus import Bus, keys
from pipeline.errors import FenceLost, StageRefused
from pipeline.event import State, Status
from tests.pipeline.driven import DrivenRun


@pytest.fixture
def run(bus: Bus) -> DrivenRun:
    """An accepted message."""
    driven = DrivenRun(bus)
    assert driven.submit()
    return driven


def test_history_fails_before_the_message_it_belongs_to(run: DrivenRun) -> None:
    """The live tree would show a child that goes on below a parent that has ended."""
    run.stage("receive", "R", to="history", closes=())
    run.begin("history", "H")
    closed = run.fail("history")
    assert run.transcript() == "R[ H[ H! R! E!"
    assert [span.name for span in closed] == ["loading_history", "message_received"]


def test_all_parallel_searches_fail_before_the_thought(run: DrivenRun) -> None:
    """A search would go on spinning for ever."""
    run.stage("receive", "R", to="think")
    run.stage("think", "T", to="search", closes=())
    run.begin("search", "S(a)", "S(b)", "S(c)")
    run.close("S(b)")
    run.fail("search")
    assert run.transcript() == "R[ R] T[ S(a)[ S(b)[ S(c)[ S(b)] S(c)! S(a)! T! E!"


def test_a_failed_span_says_why(run: DrivenRun) -> None:
    """Neither user nor operator would learn what happened."""
    run.begin("receive", "R")
    (closed,) = run.fail("receive", reason="timeout")
    span, error = run.events()[1:]
    assert (span["user_message"], span["event_data"], span["task_id"]) == ("failed R", {"error": "timeout"}, "task-1")
    assert (span["reason"], span["error_type"], span["processing_time_ms"] >= 0) == ("timeout", "Broken", True)
    assert (error["user_message"], error["event_data"]) == ("❌ sorry", {"error_message": "sorry"})
    assert (error["reason"], error["priority"], error["event_status"]) == ("timeout", "high", "failed")
    assert orjson.loads(b"{" + (closed.identity or b"") + b"}")["span_id"] == span["span_id"]
    assert (closed.start_id, closed.end_id) == (run.events()[0]["id"], span["id"])


AFTERWARDS: list[Callable[[DrivenRun], Any]] = [
    lambda run: run.begin("think", "T"),
    lambda run: run.close("T"),
    lambda run: run.end("think", "T", to="search"),
    lambda run: run.release("think"),
    lambda run: run.release("think", ("holder", "node/1")),
    lambda run: run.fail("think"),
    lambda run: run.fail("think", ("holder", "node/1")),
    lambda run: run.fail("think", ("any", "")),
]


def test_nothing_comes_after_the_error(run: DrivenRun, raw: redis.Redis) -> None:
    """A page that has shown the failure would begin to spin again."""
    run.stage("receive", "R", to="think")
    run.begin("think", "T")
    token = run.token
    run.fail("think")
    for call in AFTERWARDS:
        run.token = token
        with pytest.raises((FenceLost, StageRefused)):
            call(run)
    assert run.progress("T", token=token) is None
    assert not run.bus.chunk(*run.ids, token, 1, 0, "words")
    assert run.transcript() == "R[ R] T[ T! E!"
    assert raw.zscore(keys.DUE, run.message_id) is None
    assert raw.llen("q:search") == 0


def test_calls_that_are_still_open_fail_before_their_stage(run: DrivenRun) -> None:
    """An operator's live tree would show a call that goes on in a run that has ended."""
    run.begin("receive", "R")
    identity = run.identity("S(web)")
    span = (run.message_id, str(identity.span_id))
    run.bus.append(identity, State(Status.STARTED, "searching"), "web:start", ordinary_span=span, failed_text="no luck")
    run.fail("receive", reason="timeout")
    assert run.transcript() == "R[ S(web)[ S(web)! R! E!"
    ended = run.events()[2]
    assert (ended["user_message"], ended["reason"], ended["processing_time_ms"] >= 0) == ("no luck", "timeout", True)
    run.bus.append(identity, State(Status.COMPLETED, "found"), "web:end", ordinary_span=span)
    assert run.transcript() == "R[ S(web)[ S(web)! R! E!"


def test_a_queued_run_can_be_ended_by_anyone(run: DrivenRun) -> None:
    """A question that waits for a worker could not be cancelled."""
    run.fail("", ("any", ""), "cancelled", "cancelled")
    assert run.transcript() == "E!"
    assert run.events()[0]["attempt"] is None
    with pytest.raises(StageRefused, match="ended"):
        run.begin("receive", "R")


def test_a_completed_run_does_not_fail(run: DrivenRun) -> None:
    """An answer that was given would be followed by an error."""
    run.begin("receive", "R")
    run.end("receive", "R")
    for by in (("token", run.token), ("any", "")):
        with pytest.raises(FenceLost, match="ended"):
            run.fail("receive", by)
    assert run.transcript() == "R[ R]"


def test_a_stage_that_was_handed_over_does_not_fail_for_its_old_holder(run: DrivenRun) -> None:
    """A child that dies after its work was done would take the whole question with it."""
    run.begin("receive", "R", holder="node/1")
    run.end("receive", "R", to="think")
    with pytest.raises(FenceLost, match="done"):
        run.fail("receive", ("holder", "node/1"))
    assert run.begin("think", "T").tries == 1


def test_an_ended_run_leaves_redis(run: DrivenRun, raw: redis.Redis) -> None:
    """Redis would fill up with runs that have ended."""
    run.begin("receive", "R")
    run.bus.chunk(*run.ids, run.token, 1, 0, "words")
    run.fail("receive")
    limit = run.bus.settings.run_ttl_seconds * 1000
    assert 0 < raw.pttl(keys.run(run.message_id)) <= limit
    assert 0 < raw.pttl(keys.answer(run.message_id)) <= limit
    # What had been said stays for the record, marked as partial there.
    assert run.bus.run_state(run.message_id).answer == "words"

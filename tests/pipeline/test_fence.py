"""The fence: one holder a stage, its own calls may be repeated, everybody else's are refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from pipeline.bus import Bus, keys
from pipeline.errors import FenceLost, StageRefused
from tests.pipeline.driven import DrivenRun


@pytest.fixture
def run(bus: Bus) -> DrivenRun:
    """An accepted message."""
    driven = DrivenRun(bus)
    assert driven.submit()
    return driven


def test_an_unknown_run_is_refused(bus: Bus) -> None:
    """A message that was taken back would still be answered."""
    with pytest.raises(StageRefused, match="unknown"):
        DrivenRun(bus).begin("receive", "R")
    with pytest.raises(FenceLost, match="unknown"):
        DrivenRun(bus).fail("receive", ("any", ""))


def test_a_message_delivered_twice_begins_once(run: DrivenRun) -> None:
    """A broker's redelivery would show the stage twice and spend the model's time twice."""
    run.begin("receive", "R")
    with pytest.raises(StageRefused, match="held"):
        run.begin("receive", "R")
    run.end("receive", "R", to="think")
    with pytest.raises(StageRefused, match="done"):
        run.begin("receive", "R")
    assert run.transcript() == "R[ R]"


def test_of_many_workers_one_takes_the_stage(run: DrivenRun) -> None:
    """Two workers would answer one question, and their words would mix."""
    words: list[str] = []
    ready = threading.Barrier(8)

    def take() -> None:
        ready.wait(10)
        try:
            run.begin("receive", "R")
        except StageRefused:
            words.append("refused")
        else:
            words.append("taken")

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(words) == ["refused"] * 7 + ["taken"]
    assert run.transcript() == "R["


def test_begin_may_be_repeated_by_its_own_token(run: DrivenRun) -> None:
    """A reply lost on the way would leave the stage held by nobody until its lease ends."""
    first = run.begin("receive", "R", token="mine", fields=("sid",))
    again = run.begin("receive", "R", token="mine", fields=("sid",))
    assert (again.tries, again.starts, again.fields) == (1, first.starts, first.fields) == (1, first.starts, (b"s-1",))
    assert run.transcript() == "R["


def test_end_may_be_repeated_by_its_own_token(run: DrivenRun, raw: redis.Redis) -> None:
    """A reply lost on the way would end a stage twice, or send the next one twice."""
    run.begin("receive", "R")
    closed = run.end("receive", "R", to="think")
    assert [span.name for span in closed] == ["message_received"]
    assert run.end("receive", "R", to="think") == []
    assert run.transcript() == "R[ R]"
    assert raw.lrange("q:think", 0, -1) == [b"next"]


def test_a_span_is_closed_once(run: DrivenRun) -> None:
    """A parallel search would be shown as ended twice."""
    run.stage("receive", "R", to="search")
    run.begin("search", "S(a)", "S(b)")
    assert run.close("S(a)", output={"found": 3}) is not None
    assert run.close("S(a)") is None
    assert run.end("search", "S(a)", "S(b)")[0].name == "tool_search_documents/b"
    assert run.transcript() == "R[ R] S(a)[ S(b)[ S(a)] S(b)]"
    assert run.bus.run_fields(run.message_id, ["out:tool_search_documents/a"]) == [b'{"found":3}']


def _chunk(run: DrivenRun, token: str) -> bool:
    return run.bus.chunk(*run.ids, token, 1, 0, "words")


STRANGERS: list[Callable[[DrivenRun, str], Any]] = [
    lambda run, token: run.end("receive", "R", to="think", token=token),
    lambda run, token: run.close("R", token=token),
    lambda run, token: run.release("receive", ("token", token)),
    lambda run, token: run.release("receive", ("holder", "node/2")),
    lambda run, token: run.fail("receive", ("token", token)),
    lambda run, token: run.fail("receive", ("holder", "node/2")),
]


def test_a_stranger_changes_nothing(run: DrivenRun) -> None:
    """A worker that woke up late would end the stage that another is working on."""
    run.begin("receive", "R", holder="node/1")
    for call in STRANGERS:
        with pytest.raises(FenceLost):
            call(run, "another")
    assert (run.progress("R", token="another"), _chunk(run, "another")) == (None, False)
    assert run.transcript() == "R["
    assert run.bus.run_state(run.message_id).state == "running"
    assert run.end("receive", "R", to="think")


def test_a_zombie_is_refused_after_its_stage_moved_on(run: DrivenRun) -> None:
    """A worker stopped for a while would speak into the answer of the one that took over."""
    run.begin("receive", "R")
    zombie = run.token
    run.release("receive", ("holder", "node/1"), "worker_lost")
    run.begin("receive", "R", holder="node/2")
    for call in (lambda: run.end("receive", "R", token=zombie), lambda: run.close("R", token=zombie)):
        with pytest.raises(FenceLost):
            call()
    with pytest.raises(FenceLost):
        run.fail("receive", ("token", zombie))
    assert (run.progress("R", token=zombie), _chunk(run, zombie)) == (None, False)
    assert run.transcript() == "R[ R~"
    assert _chunk(run, run.token)


def test_progress_needs_an_open_span(run: DrivenRun) -> None:
    """A stage that has ended would be shown as working again."""
    run.begin("receive", "R")
    assert run.progress("T") is None
    run.close("R")
    assert run.progress("R") is None
    assert run.transcript() == "R[ R]"


def test_the_due_list_says_when_to_look(run: DrivenRun, raw: redis.Redis) -> None:
    """A run that is stuck would never be found, or one that works would be disturbed."""
    settings = run.bus.settings

    def due_in() -> float | None:
        score = raw.zscore(keys.DUE, run.message_id)
        return None if score is None else float(score) / 1e6 + 1_577_836_800 - time.time()

    def about(seconds: float) -> Any:
        return pytest.approx(seconds, abs=2.0)

    assert due_in() == about(settings.queue_grace_seconds)
    run.begin("receive", "R")
    assert due_in() == about(settings.lease_seconds)
    run.release("receive", wait_ms=60_000)
    assert due_in() == about(60 + settings.queue_grace_seconds)
    run.begin("receive", "R")
    run.end("receive", "R", to="think")
    assert due_in() == about(settings.queue_grace_seconds)
    run.begin("think", "T")
    run.end("think", "T")
    assert due_in() is None
    assert raw.pttl(keys.run(run.message_id)) > 0

"""Looking after runs that are due: a lost worker, a lost message; and leaving alone what only waits."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
import redis

from pipeline.bus import Bus, QueueIs, keys
from pipeline.errors import FenceLost
from pipeline.event import State, Status
from tests.pipeline.driven import DrivenRun


def make_due(raw: redis.Redis, *runs: DrivenRun) -> None:
    """Lets the time come at which the runs are looked after, the first one first."""
    raw.zadd(keys.DUE, {run.message_id: number for number, run in enumerate(runs)})


def resume(run: DrivenRun, stage: str = "receive", message: bytes = b"again", queue_is: QueueIs = QueueIs.HERE) -> str:
    """Looks after the run."""
    state = State(Status.PROGRESS, "again", {"retry": True}, reason="worker_lost", error_type="LeaseExpired")
    return run.bus.resume(*run.ids, stage, state, f"q:{stage}", message, queue_is)


def look_twice(run: DrivenRun, raw: redis.Redis, stage: str = "receive") -> str:
    """Looks after a run whose queue is empty until something is done about it."""
    make_due(raw, run)
    assert resume(run, stage) == "waits"
    make_due(raw, run)
    return resume(run, stage)


def queue_of(raw: redis.Redis, stage: str = "receive") -> list[bytes]:
    """The queue, oldest message first."""
    found: Any = raw.lrange(f"q:{stage}", 0, -1)
    return list(found[::-1])


@pytest.fixture
def run(bus: Bus) -> DrivenRun:
    """An accepted message."""
    driven = DrivenRun(bus)
    assert driven.submit()
    return driven


def test_a_lease_is_renewed_by_its_holder_only(run: DrivenRun, raw: redis.Redis) -> None:
    """A long answer would be taken from the worker that writes it, or never from one that died."""
    run.begin("receive", "R")
    make_due(raw, run)
    assert run.bus.due(10) == [run.message_id]
    assert not run.bus.renew(run.message_id, "another")
    assert run.bus.due(10) == [run.message_id]
    assert run.bus.renew(run.message_id, run.token)
    assert run.bus.due(10) == []
    score = raw.zscore(keys.DUE, run.message_id)
    assert score is not None
    left = float(score) / 1e6 + 1_577_836_800 - time.time()
    assert left == pytest.approx(run.bus.settings.lease_seconds, abs=2)
    zombie = run.token
    run.release("receive")
    assert not run.bus.renew(run.message_id, zombie)
    run.begin("receive", "R")
    run.end("receive", "R")
    assert not run.bus.renew(run.message_id, run.token)
    assert raw.zscore(keys.DUE, run.message_id) is None


def test_who_waits_longest_is_looked_after_first(bus: Bus, raw: redis.Redis) -> None:
    """After a long outage some users would wait for all the others."""
    runs = [DrivenRun(bus) for _ in range(4)]
    for run in runs:
        run.submit()
    assert bus.due(10) == []
    make_due(raw, runs[2], runs[0], runs[3])
    assert bus.due(10) == [runs[2].message_id, runs[0].message_id, runs[3].message_id]
    assert bus.due(2) == [runs[2].message_id, runs[0].message_id]
    bus.forget_due(runs[2].message_id)
    assert bus.due(1) == [runs[0].message_id]


def test_a_lost_worker_is_replaced_once(run: DrivenRun, raw: redis.Redis) -> None:
    """A question on a machine that was switched off would never be answered, or be answered twice."""
    run.begin("receive", "R")
    run.bus.chunk(*run.ids, run.token, 1, 0, "half")
    zombie = run.token
    make_due(raw, run)
    assert [resume(run), resume(run)] == ["resumed", "early"]
    assert queue_of(raw) == [b"first", b"again"]
    assert run.transcript() == "R[ R~"
    event = run.events()[-1]
    assert (event["reason"], event["attempt"], event["error_type"]) == ("worker_lost", 2, "LeaseExpired")
    assert run.bus.run_state(run.message_id).answer == ""
    with pytest.raises(FenceLost):
        run.end("receive", "R", to="think", token=zombie)
    assert run.begin("receive", "R").tries == 2
    run.end("receive", "R", to="think")
    assert run.transcript() == "R[ R~ R]"


def test_a_worker_that_is_lost_again_and_again_is_not_replaced_for_ever(run: DrivenRun, raw: redis.Redis) -> None:
    """A question that brings its worker down would take one worker after the other."""
    words = []
    for _ in range(3):
        run.begin("receive", "R")
        make_due(raw, run)
        words.append(resume(run))
    assert words == ["resumed", "resumed", "exhausted"]
    run.fail("receive", ("any", ""), "worker_lost")
    assert run.transcript() == "R[ R~ R~ R! E!"
    make_due(raw, run)
    assert resume(run) == "gone"
    assert run.bus.due(10) == []


def test_a_message_that_only_waits_is_not_sent_again(bus: Bus, raw: redis.Redis) -> None:
    """Behind two slow workers, 150 questions were sent 538 times too often: the queue never became empty again."""
    runs = [DrivenRun(bus) for _ in range(150)]
    for run in runs:
        run.submit(message=run.message_id.encode())
    for slow in runs[:2]:
        raw.rpop("q:receive")
        slow.begin("receive", "R")
    for _ in range(3):
        make_due(raw, *runs[2:])
        assert {resume(run) for run in runs[2:]} == {"waits"}
    assert queue_of(raw) == [run.message_id.encode() for run in runs[2:]]
    # The one behind is begun before those in front of it: theirs were lost.
    runs[10].begin("receive", "R")
    looked_at = (*runs[2:10], *runs[11:13])
    make_due(raw, *looked_at)
    assert {resume(run) for run in looked_at} == {"waits"}
    make_due(raw, *looked_at)
    assert [resume(run) for run in looked_at] == ["sent"] * 8 + ["waits"] * 2


def test_a_message_that_was_sent_again_makes_no_other_look_lost(bus: Bus, raw: redis.Redis) -> None:
    """One message taken for lost by mistake would have every message behind it sent twice."""
    runs = [DrivenRun(bus) for _ in range(5)]
    for run in runs:
        run.submit(message=run.message_id.encode())
    raw.delete("q:receive")
    assert look_twice(runs[0], raw) == "sent"
    raw.lpush("q:receive", "the others' messages")
    # Its first message was not lost: a worker had it.
    runs[0].begin("receive", "R")
    for _ in range(2):
        make_due(raw, *runs[1:])
        assert {resume(run) for run in runs[1:]} == {"waits"}


def test_a_message_that_was_lost_is_sent_again_with_patience(run: DrivenRun, raw: redis.Redis) -> None:
    """A question whose message the broker lost would never be answered; or be sent a hundred times."""
    limit = run.bus.settings.stage_messages_limit
    waits = []
    for _ in range(limit - 1):
        raw.delete("q:receive")
        assert look_twice(run, raw) == "sent"
        assert queue_of(raw) == [b"again"]
        score = raw.zscore(keys.DUE, run.message_id)
        assert score is not None
        waits.append(float(score) / 1e6 + 1_577_836_800 - time.time())
    grace = run.bus.settings.queue_grace_seconds
    assert waits[:3] == pytest.approx([2 * grace, 3 * grace, 4 * grace], abs=2)
    assert max(waits) < 9 * grace
    raw.delete("q:receive")
    assert look_twice(run, raw) == "exhausted"
    assert run.begin("receive", "R").tries == 1
    assert run.transcript() == "R["


def test_a_message_that_a_worker_has_just_fetched_is_not_lost(run: DrivenRun, raw: redis.Redis) -> None:
    """On a busy machine messages would be sent twice between the fetching and the beginning."""
    raw.delete("q:receive")
    make_due(raw, run)
    assert resume(run) == "waits"
    assert queue_of(raw) == []
    score = raw.zscore(keys.DUE, run.message_id)
    assert score is not None
    assert float(score) / 1e6 + 1_577_836_800 - time.time() == pytest.approx(1, abs=1)
    run.begin("receive", "R")
    run.end("receive", "R", to="think")
    make_due(raw, run)
    # Of the next stage's message nothing is known yet.
    assert resume(run, "think") == "waits"


def test_each_stage_and_each_worker_is_waited_for_anew(run: DrivenRun, raw: redis.Redis) -> None:
    """A question that had bad luck at its beginning would be given up later at the first hiccup."""
    limit = run.bus.settings.stage_messages_limit
    raw.hset(keys.run(run.message_id), mapping={"sent": limit, "q": 1_000_000})
    run.begin("receive", "R")
    make_due(raw, run)
    assert resume(run) == "resumed"
    for stage in ("receive", "think"):
        raw.delete(f"q:{stage}")
        assert look_twice(run, raw, stage) == "sent"
        assert run.begin(stage, "R").waited_ms < 60_000
        raw.hset(keys.run(run.message_id), "sent", limit)
        run.end(stage, "R", to="think")


def test_beside_another_broker_only_the_overtaken_is_sent(run: DrivenRun, raw: redis.Redis) -> None:
    """With RabbitMQ, whose queues cannot be seen from here, every waiting message would be sent again."""
    raw.delete("q:receive")
    for _ in range(3):
        make_due(raw, run)
        assert resume(run, message=b"", queue_is=QueueIs.FILLED) == "waits"
    later = DrivenRun(run.bus)
    later.submit(message=b"")
    later.begin("receive", "R")
    make_due(raw, run)
    # A broker that is away takes no message, which would only be counted as sent.
    assert resume(run, message=b"", queue_is=QueueIs.UNKNOWN) == "waits"
    make_due(raw, run)
    assert resume(run, message=b"", queue_is=QueueIs.FILLED) == "sent"
    assert raw.llen("q:receive") == 0


def test_beside_another_broker_an_empty_queue_is_looked_at_twice(run: DrivenRun, raw: redis.Redis) -> None:
    """A question whose message RabbitMQ lost would wait for ever; or each that a worker just fetched be sent twice."""
    for _ in range(2):
        make_due(raw, run)
        assert resume(run, message=b"", queue_is=QueueIs.EMPTY) == "waits"
        score = raw.zscore(keys.DUE, run.message_id)
        assert score is not None
        assert float(score) / 1e6 + 1_577_836_800 - time.time() < 1.5
        make_due(raw, run)
        assert resume(run, message=b"", queue_is=QueueIs.EMPTY) == "sent"
    run.begin("receive", "R")
    run.end("receive", "R", to="think")
    make_due(raw, run)
    assert resume(run, "think", message=b"", queue_is=QueueIs.EMPTY) == "waits"


def test_a_try_that_begins_before_its_time_makes_nobody_look_lost(run: DrivenRun, raw: redis.Redis) -> None:
    """After one early retry, every message that waits would be sent a second time."""
    run.begin("receive", "R")
    run.release("receive", wait_ms=60_000, message=b"later")
    run.begin("receive", "R")
    waiting = DrivenRun(run.bus)
    waiting.submit(message=b"waiting")
    make_due(raw, waiting)
    assert resume(waiting) == "waits"


def test_a_run_that_went_on_is_left_alone(run: DrivenRun, raw: redis.Redis) -> None:
    """A watchdog that was slow would disturb a run that has long gone on."""
    assert resume(run) == "early"
    run.begin("receive", "R")
    run.end("receive", "R", to="think")
    make_due(raw, run)
    assert resume(run, "receive") == "moved"
    assert resume(run, "think", b"think again") == "waits"
    assert queue_of(raw, "think") == [b"next"]
    unknown = DrivenRun(run.bus)
    assert resume(unknown) == "gone"
    make_due(raw, unknown)
    assert resume(unknown) == "gone"
    assert run.transcript() == "R[ R]"


def test_a_queued_run_is_ended_only_while_it_is_queued(run: DrivenRun) -> None:
    """A question would be given up in the moment in which a worker takes it."""
    run.begin("receive", "R")
    with pytest.raises(FenceLost):
        run.fail("receive", ("queued", ""), "expired")
    run.end("receive", "R", to="think")
    with pytest.raises(FenceLost):
        run.fail("receive", ("queued", ""), "expired")
    run.fail("think", ("queued", ""), "expired")
    assert run.transcript() == "R[ R] E!"


def test_what_a_lost_worker_left_open_is_ended(run: DrivenRun, raw: redis.Redis) -> None:
    """An operator's live tree would show calls of a worker that is gone."""
    run.begin("receive", "R")
    identity = run.identity("S(web)")
    state = State(Status.STARTED, "searching")
    span = (run.message_id, str(identity.span_id))
    run.bus.append(identity, state, "web:start", ordinary_span=span, failed_text="no search")
    make_due(raw, run)
    assert resume(run) == "resumed"
    assert run.transcript() == "R[ S(web)[ S(web)! R~"
    ended = run.events()[2]
    assert (ended["user_message"], ended["reason"]) == ("no search", "worker_lost")
    assert ended["processing_time_ms"] >= 0
    # What the sleeping worker says afterwards comes too late.
    run.bus.append(identity, State(Status.COMPLETED, "found"), "web:end", ordinary_span=span)
    assert run.transcript() == "R[ S(web)[ S(web)! R~"
    seqs = [event["seq"] for event in run.events()]
    assert seqs == list(itertools.islice(itertools.count(1), len(seqs)))

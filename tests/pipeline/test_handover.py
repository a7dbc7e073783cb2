"""From stage to stage: what is sent, what is kept, how long it waited."""

from __future__ import annotations

import re
from typing import Any

import pytest
import redis

from pipeline.bus import Bus, keys
from pipeline.event import State, Status
from tests.pipeline.driven import DrivenRun


@pytest.fixture
def run(bus: Bus) -> DrivenRun:
    """An accepted message."""
    driven = DrivenRun(bus)
    assert driven.submit()
    return driven


def test_a_message_is_submitted_once(run: DrivenRun, raw: redis.Redis) -> None:
    """A repeated request would be answered twice."""
    assert not run.submit(message=b"again")
    run.begin("receive", "R")
    assert not run.submit(message=b"again")
    assert raw.lrange("q:receive", 0, -1) == [b"first"]
    assert run.bus.run_state(run.message_id).state == "running"


def test_the_next_stage_is_sent_with_the_ending(run: DrivenRun, raw: redis.Redis) -> None:
    """A child killed between its end and the next stage's message would leave the question unanswered."""
    body = b'{"\xff":"\x00\n"}'
    run.begin("receive", "R")
    run.end("receive", "R", to="think", message=body)
    assert raw.lrange("q:think", 0, -1) == [body]
    state = run.bus.run_state(run.message_id)
    assert (state.status, state.stage, state.state, state.tries) == ("live", "think", "queued", 0)


def test_with_another_broker_nothing_is_pushed(run: DrivenRun, raw: redis.Redis) -> None:
    """Beside RabbitMQ, every stage would also lie in a Redis list that nobody reads."""
    other = DrivenRun(run.bus)
    other.submit(message=b"")
    other.begin("receive", "R")
    other.end("receive", "R", to="think", message=b"")
    other.begin("think", "T")
    other.release("think", message=b"")
    assert (raw.llen("q:receive"), raw.llen("q:think")) == (1, 0)
    assert other.bus.run_state(other.message_id).state == "queued"


def test_what_a_stage_gave_is_there_for_the_next(run: DrivenRun) -> None:
    """Search would not know what think decided."""
    run.begin("receive", "R")
    run.end("receive", "R", to="think", output={"text": "ünï", "n": 1})
    begun = run.begin("think", "T", fields=("out:receive", "out:history"))
    assert begun.fields == ('{"text":"ünï","n":1}'.encode(), None)
    assert run.bus.run_fields(run.message_id, ["out:receive", "nothing"])[1] is None


def test_time_in_the_queue_is_told(run: DrivenRun, raw: redis.Redis) -> None:
    """An operator could not see that messages wait for workers."""
    queued = int(raw.hget(keys.run(run.message_id), "q") or 0)
    raw.hset(keys.run(run.message_id), "q", queued - 90_000_000)
    begun = run.begin("receive", "R")
    waited = run.events()[0]["queue_time_ms"]
    assert 90_000 <= waited < 110_000
    assert begun.waited_ms == waited
    run.end("receive", "R", to="think")
    begun = run.begin("think", "T")
    assert begun.waited_ms < 20_000
    run.release("think", wait_ms=3_600_000)
    assert run.begin("think", "T").waited_ms == 0


def test_durations_are_the_stages_own_where_it_knows_them(run: DrivenRun, raw: redis.Redis) -> None:
    """A stage's time would be measured by a clock that jumps; one that spans two tasks could not be measured."""
    run.begin("receive", "R")
    closing = run.closing("R", took_us=1_234_567)
    (closed,) = run.bus.end(*run.ids, "receive", run.token, [closing], None, "think")
    assert (run.events()[-1]["processing_time_ms"], closed.took_us) == (1_235, 1_234_567)
    assert closed.end_ns - closed.start_ns == 1_234_567_000
    run.begin("think", "T")
    packed: Any = raw.hget(keys.run(run.message_id), "span:agent_thinking")
    start, _, rest = packed.partition(b"\n")
    raw.hset(keys.run(run.message_id), "span:agent_thinking", b"%d\n%s" % (int(start) - 5_000_000, rest))
    (closed,) = run.end("think", "T")
    assert 5_000 <= run.events()[-1]["processing_time_ms"] < 25_000
    assert round(closed.took_us / 1000) == pytest.approx(run.events()[-1]["processing_time_ms"], abs=1)


def test_no_content_lies_where_ids_belong(run: DrivenRun, raw: redis.Redis) -> None:
    """A cluster could not run the scripts: keys and channels must carry the shard's tag and the ids, no more."""
    run.begin("receive", "R")
    run.bus.chunk(*run.ids, run.token, 1, 0, "words")
    run.end("receive", "R", to="think")
    found: Any = raw.keys()
    names = {key.decode() for key in found if not key.startswith(b"q:")}
    assert all(name.startswith("sf:{0}:") for name in names)
    shapes = {re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|s-1", "ID", name) for name in names}
    known = "answer:ID answering:ID begun clock due log run:ID seq:ID session:ID".split()
    assert shapes == {f"sf:{{0}}:{name}" for name in known}


def test_an_event_says_which_try_wrote_it(run: DrivenRun) -> None:
    """Nobody could tell a second try's events from the first's."""
    run.begin("receive", "R")
    run.progress("R")
    run.release("receive")
    run.begin("receive", "R")
    run.bus.progress(*run.ids, run.token, "message_received", State(Status.PROGRESS, "on", {"n": 1}, task_id="task-2"))
    run.end("receive", "R", to="think")
    events = run.events()
    assert [(e["event_status"], e["attempt"]) for e in events] == [
        ("started", 1),
        ("progress", 1),
        ("progress", 2),
        ("progress", 2),
        ("completed", 2),
    ]
    assert events[3]["task_id"] == "task-2"
    assert events[2]["event_data"] == {"retry": True}

"""Giving a stage back: another try on the same span, counted, sent once, and the answer begun anew."""

from __future__ import annotations

import pytest
import redis

from pipeline.bus import Bus, Frame, keys
from pipeline.errors import FenceLost, StageRefused
from tests.parts.waiting import wait_for
from tests.pipeline.driven import DrivenRun


@pytest.fixture
def run(bus: Bus) -> DrivenRun:
    """An accepted message whose first stage was begun."""
    driven = DrivenRun(bus)
    assert driven.submit()
    driven.begin("receive", "R")
    return driven


def test_a_retry_goes_on_with_the_same_span(run: DrivenRun) -> None:
    """A user would see the same stage begin twice."""
    assert run.release("receive") == 2
    begun = run.begin("receive", "R")
    events = run.events()
    assert run.transcript() == "R[ R~"
    assert len({event["span_id"] for event in events}) == 1
    assert (begun.tries, begun.starts) == (2, (events[0]["id"],))
    assert (events[1]["event_data"], events[1]["reason"], events[1]["attempt"]) == ({"retry": True}, "retry", 2)
    (closed,) = run.end("receive", "R", to="think")
    assert closed.start_id == events[0]["id"]


def test_a_retry_is_sent_once(run: DrivenRun, raw: redis.Redis) -> None:
    """Two workers would be sent the same try, and one of them be refused for nothing."""
    by = ("token", run.token)
    assert run.release("receive", by, message=b"again") == 2
    assert run.release("receive", by, message=b"again") == 0
    assert raw.lrange("q:receive", 0, -1) == [b"again", b"first"]
    assert run.transcript() == "R[ R~"
    state = run.bus.run_state(run.message_id)
    assert (state.state, state.tries) == ("queued", 1)


def test_a_closer_that_asks_twice_is_told(run: DrivenRun) -> None:
    """A lost child would be counted twice and the last try be taken from the user."""
    assert run.release("receive", ("holder", "node/1"), "worker_lost") == 2
    with pytest.raises(FenceLost):
        run.release("receive", ("holder", "node/1"), "worker_lost")
    assert run.transcript() == "R[ R~"


def test_tries_are_limited(run: DrivenRun) -> None:
    """A question that kills its worker would be tried for ever."""
    assert run.bus.settings.stage_tries_limit == 3
    assert run.release("receive") == 2
    run.begin("receive", "R")
    assert run.release("receive") == 3
    run.begin("receive", "R")
    assert run.release("receive") is None
    assert run.transcript() == "R[ R~ R~"
    # Still held: whoever asked must now fail the run.
    assert run.bus.run_state(run.message_id).state == "running"
    run.fail("receive")
    assert run.transcript() == "R[ R~ R~ R! E!"


def test_each_stage_has_its_own_tries(run: DrivenRun) -> None:
    """A hiccup at the beginning would leave fewer tries for the answer."""
    run.release("receive")
    run.begin("receive", "R")
    run.end("receive", "R", to="think")
    assert run.begin("think", "T").tries == 1


def test_a_retry_is_told_on_the_stages_own_open_spans(run: DrivenRun) -> None:
    """A search's retry would be shown on a collection that has long been searched."""
    run.end("receive", "R", to="think")
    run.stage("think", "T", to="search", closes=())
    run.begin("search", "S(a)", "S(b)", "S(c)")
    run.close("S(b)")
    run.release("search")
    assert run.transcript() == "R[ R] T[ S(a)[ S(b)[ S(c)[ S(b)] S(a)~ S(c)~"


def test_a_stage_without_open_spans_tells_its_retry_on_the_innermost(run: DrivenRun) -> None:
    """A user would see nothing move while the last search is tried again."""
    run.end("receive", "R", to="think")
    run.stage("think", "T", to="search", closes=())
    run.begin("search", "S(a)")
    run.close("S(a)")
    run.release("search")
    assert run.transcript() == "R[ R] T[ S(a)[ S(a)] T~"


def test_a_run_that_has_ended_is_not_tried_again(run: DrivenRun) -> None:
    """A cancelled question would come back to life."""
    token = run.token
    run.fail("receive", ("any", ""), "cancelled", "cancelled")
    for by in (("token", token), ("holder", "node/1")):
        with pytest.raises(FenceLost):
            run.release("receive", by)
    with pytest.raises(StageRefused, match="ended"):
        run.begin("receive", "R")
    assert run.transcript() == "R[ R! E!"


def test_a_new_try_starts_the_answer_over(run: DrivenRun) -> None:
    """A user would read half an answer twice."""
    bus = run.bus
    subscription = bus.subscribe()
    subscription.follow(keys.session_channel("s-1"))
    wait_for(lambda: subscription.read(1) == keys.session_channel("s-1"), "the subscription")
    assert bus.chunk(*run.ids, run.token, 1, 0, "Half an ")
    run.release("receive")
    assert bus.run_state(run.message_id).answer == ""
    run.begin("receive", "R")
    assert bus.chunk(*run.ids, run.token, 2, 0, "Whole")
    assert bus.run_state(run.message_id).answer == "Whole"
    bodies: list[bytes] = []
    while len(bodies) < 4:
        frame = subscription.read(5)
        assert frame is not None
        if isinstance(frame, Frame):
            bodies.append(frame.body)
    assert bodies[2] == (b'{"type":"answer_reset","message_id":"' + run.message_id.encode() + b'","attempt":2}')
    assert b'"attempt":1' in bodies[0]
    assert b'"text":"Whole"' in bodies[3]
    subscription.close()


def test_a_try_that_said_nothing_resets_nothing(run: DrivenRun, raw: redis.Redis) -> None:
    """A page would blank an answer that was never begun."""
    listener = raw.pubsub()  # type: ignore[no-untyped-call]
    listener.subscribe(keys.session_channel("s-1"))
    assert listener.get_message(timeout=20)["type"] == "subscribe"
    run.release("receive")
    run.begin("receive", "R")
    run.progress("R")
    heads = [listener.get_message(timeout=20)["data"].split(b"\n")[0] for _ in range(2)]
    assert [head.split(b" ")[1] for head in heads] == [b"message_received"] * 2
    listener.close()

"""Whole workers, messages and runs are lost, and every message ends all the same."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.acceptance.endings import check_endings
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.stand_in import StandIn

TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"


def _model(model: StandIn) -> dict[str, str]:
    return {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test", "OPENAI_MODEL": model.model}


def _family(stack: Stack, name: str) -> list[psutil.Process]:
    parent = psutil.Process(stack.processes[name].pid)
    return [parent, *parent.children(recursive=True)]


def _stop_family(stack: Stack, name: str, number: signal.Signals) -> None:
    for process in _family(stack, name):
        process.send_signal(number)


@pytest.fixture
def two_workers(make_stack: Callable[..., Stack], tmp_path: Path) -> Stack:
    """Two workers; whoever thinks first is held until the file `go` is there."""
    stack = make_stack(SPANFEED_FAILPOINTS=f"think.begun=hold@{tmp_path / 'go'}")
    stack.add_document("zebra.md", TURNIPS)
    stack.start()
    return stack


def _holder(stack: Stack, message_id: str) -> int:
    return wait_for(lambda: stack.child_holding(message_id), "a child that holds the stage")


def test_a_whole_worker_is_killed(two_workers: Stack, tmp_path: Path) -> None:
    """Without this a machine that goes away would leave the user waiting for ever."""
    stack = two_workers
    with stack.feed("lost") as feed:
        message_id = stack.ask_async(QUESTION, "lost")
        feed.until_event("agent_thinking", "started")
        family = _family(stack, "worker")
        for process in family:
            process.kill()
        killed = time.monotonic()
        stack.processes.pop("worker").wait(10)
        (tmp_path / "go").touch()
        stack.start_worker("second", wait=False)
        again = feed.until_event("agent_thinking", "progress", 30)
        resumed = time.monotonic() - killed
        assert (again["reason"], again["attempt"]) == ("worker_lost", 2)
        assert feed.until_ended(message_id)["event_type"] == "saving_message"
    assert resumed < 8
    check_endings(stack.events("lost"))


def test_a_stopped_worker_wakes_up_as_a_zombie(two_workers: Stack, tmp_path: Path) -> None:
    """Without this a worker that slept through its lease would answer a second time."""
    stack = two_workers
    with stack.feed("zombie") as feed:
        message_id = stack.ask_async(QUESTION, "zombie")
        feed.until_event("agent_thinking", "started")
        _stop_family(stack, "worker", signal.SIGSTOP)
        stack.start_worker("second")
        (tmp_path / "go").touch()
        feed.until_event("agent_thinking", "progress", 30)
        feed.until_ended(message_id)
        _stop_family(stack, "worker", signal.SIGCONT)
        wait_for(lambda: "is not ours any more" in stack.log("worker"), "the zombie's refusal")
    events = stack.events("zombie")
    assert events == feed.events
    check_endings(events)
    with stack.client() as client:
        turns = client.get("/chat/zombie").json()["messages"]
    assert [turn["message_type"] for turn in turns] == ["user", "assistant"]


def test_a_message_that_the_broker_lost_is_sent_again(make_stack: Callable[..., Stack]) -> None:
    """Without this a message lost between broker and worker would never be answered."""
    stack = make_stack(SPANFEED_QUEUE_GRACE_SECONDS="1")
    stack.add_document("zebra.md", TURNIPS)
    stack.start(worker=False)
    message_id = stack.ask_async(QUESTION, "gone")
    assert stack.redis.client().delete("spanfeed.receive") == 1
    stack.start_worker()
    with stack.feed("gone", after=0) as feed:
        feed.until_ended(message_id)
    check_endings(stack.events("gone"))


def test_queued_runs_are_not_sent_twice(make_stack: Callable[..., Stack]) -> None:
    """Without this a backlog would be answered by a storm of repeated messages."""
    stack = make_stack(SPANFEED_QUEUE_GRACE_SECONDS="0.3", SPANFEED_WATCH_INTERVAL_SECONDS="0.1")
    stack.add_document("zebra.md", TURNIPS)
    stack.start(worker=False)
    sessions = [f"backlog-{number}" for number in range(60)]
    ids = [stack.ask_async("Hello!", session) for session in sessions]
    stack.start_worker("slow")
    with stack.client() as client:
        for session, message_id in zip(sessions, ids, strict=True):
            wait_for(
                lambda s=session, m=message_id: client.get(f"/chat/{s}/messages/{m}").json()["status"] == "completed",
                "the answer",
                60,
            )
    assert "was refused" not in stack.log("slow")


def test_a_run_lost_with_redis_is_ended(two_workers: Stack, tmp_path: Path) -> None:
    """Without this a Redis that lost its data would leave messages open for ever."""
    stack = two_workers
    with stack.feed("flushed") as feed:
        message_id = stack.ask_async(QUESTION, "flushed")
        feed.until_event("agent_thinking", "started")
        stack.settled()
    stack.redis.client().flushall()
    (tmp_path / "go").touch()

    def failed() -> bool:
        with stack.client() as client:
            return bool(client.get(f"/chat/flushed/messages/{message_id}").json()["status"] == "failed")

    wait_for(failed, "the message's failure", 40)
    events = stack.events("flushed")
    assert [(e["event_type"], e["event_status"]) for e in events][-2:] == [
        ("agent_thinking", "failed"),
        ("error", "failed"),
    ]
    assert len({e["id"] for e in events}) == len(events)


def test_an_answer_that_is_saved_while_redis_loses_its_data_is_told(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """Without this a stored answer would be shown as being saved for ever."""
    stack = make_stack(SPANFEED_FAILPOINTS=f"save.worked=hold@{tmp_path / 'go'}")
    stack.add_document("zebra.md", TURNIPS)
    stack.start()
    with stack.feed("saved") as feed:
        message_id = stack.ask_async(QUESTION, "saved")
        feed.until_event("saving_message", "started")
        stack.settled()
        with stack.client() as client:
            wait_for(lambda: client.get(f"/chat/saved/messages/{message_id}").json()["answer"], "the stored answer")
        stack.redis.client().flushall()
        (tmp_path / "go").touch()
        feed.until_event("saving_message", "completed")
    stack.settled()
    # Numbering has begun anew, so only the endings are looked at.
    endings = [e["event_type"] for e in stack.events("saved") if e["event_status"] in {"completed", "failed"}]
    assert endings.count("saving_message") == 1
    assert "error" not in endings
    with stack.client() as client:
        assert client.get(f"/chat/saved/messages/{message_id}").json()["status"] == "completed"


def test_a_message_that_was_accepted_but_not_sent(make_stack: Callable[..., Stack]) -> None:
    """Without this a web process that dies between storing and sending would lose the message."""
    stack = make_stack(SPANFEED_QUEUE_GRACE_SECONDS="1")
    stack.add_document("zebra.md", TURNIPS)
    from pipeline.store import conversations

    conversations.accept_message(
        stack.store,
        session_id="unsent",
        message_id="00000000-0000-4000-8000-000000000001",
        content=QUESTION,
        language="en",
        owner="key:main",
        user_id=None,
        collection=None,
        metadata=None,
        trace_id="1" * 32,
    )
    stack.start()
    with stack.feed("unsent", after=0) as feed:
        assert feed.until_ended()["event_type"] == "saving_message"
    check_endings(feed.events)


def test_cancel_while_streaming(make_stack: Callable[..., Stack]) -> None:
    """Without this a user could not stop an answer, or would lose what had been said (transcript 10)."""
    with StandIn() as model:
        stack = make_stack(**_model(model)).start()
        model.script(words=["one ", "two ", "three ", "four"], step=True)
        with stack.feed("stop") as feed:
            message_id = stack.ask_async("Count for me, from the documents", "stop")
            model.release(2)
            feed.until(lambda frame: frame["type"] == "chunk" and "two" in frame["text"])
            asked = time.monotonic()
            with stack.client() as client:
                reply = client.post(f"/chat/stop/messages/{message_id}/cancel").json()
            assert reply["cancelled"] is True
            ended = feed.until_ended(message_id)
            assert time.monotonic() - asked < 1
            assert (ended["event_type"], ended["reason"]) == ("error", "cancelled")
            model.release(2)
        stack.settled()
        check_endings(stack.events("stop"))
        with stack.client() as client:
            asked_turn, partial = client.get("/chat/stop").json()["messages"]
            assert (asked_turn["metadata"]["status"], partial["content"]) == ("cancelled", "one two ")
            assert partial["metadata"]["partial"] is True
            assert client.post(f"/chat/stop/messages/{message_id}/cancel").json()["cancelled"] is False
            # The model's place is free again: the child has stopped working.
            model.script(words=["anew"])
            again = client.post(f"/chat/stop/messages/{message_id}/retry")
            assert again.status_code == 202
            new_id = again.json()["message_id"]
            wait_for(
                lambda: client.get(f"/chat/stop/messages/{new_id}").json()["answer"] == "anew", "the second answer", 20
            )
            assert client.post(f"/chat/stop/messages/{new_id}/retry").status_code == 409


def test_cancel_while_queued(make_stack: Callable[..., Stack]) -> None:
    """Without this a message that waits could not be stopped (transcript 11)."""
    stack = make_stack()
    stack.start(worker=False)
    stack.start_worker("receives", "spanfeed.receive")
    with stack.feed("queued") as feed:
        message_id = stack.ask_async(QUESTION, "queued")
        feed.until_event("message_received", "completed")
        with stack.client() as client:
            assert client.post(f"/chat/queued/messages/{message_id}/cancel").json()["cancelled"] is True
        feed.until_ended(message_id)
    told = [(e["event_type"], e["event_status"]) for e in feed.events]
    assert told == [("message_received", "started"), ("message_received", "completed"), ("error", "failed")]
    assert feed.events[-1]["reason"] == "cancelled"

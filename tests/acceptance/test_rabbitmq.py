"""RabbitMQ as the broker beside Redis: the same promises, with the next stage sent as a second step."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import amqp
import kombu
import psutil
import pytest
from celery import Celery

from tests.acceptance.endings import check_endings
from tests.parts.rabbit_part import RabbitPart
from tests.parts.redis_part import RedisPart
from tests.parts.stack import STAGES, Stack
from tests.parts.waiting import wait_for
from tests.stand_in import StandIn

TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"
ANSWER = "seven turnips"
_POST_SECONDS = 3.5
_ARMED = {"think.worked": "kill", "think.unsent": "kill", "search.begun": "hold"}


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitPart]:
    """The module's RabbitMQ: its start takes some seconds, during which the rest is prepared."""
    part = RabbitPart(tmp_path_factory.mktemp("rabbit") / "node", wait=False)
    yield part
    part.close()


@pytest.fixture(scope="module")
def model() -> Iterator[StandIn]:
    """The model behind all answers."""
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the failpoints' files; a failpoint is armed while its file is missing."""
    folder = tmp_path_factory.mktemp("places")
    for name in _ARMED:
        (folder / name).touch()
    return folder


@pytest.fixture(scope="module")
def stack(
    rabbit: RabbitPart, model: StandIn, places: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A Spanfeed whose tasks go through RabbitMQ, and whose watchdog looks often."""
    folder = tmp_path_factory.mktemp("amqp")
    redis = RedisPart(folder / "redis")
    made = Stack(
        folder / "home",
        redis,
        SPANFEED_BROKER_URL=rabbit.url,
        SPANFEED_QUEUE_GRACE_SECONDS="1",
        SPANFEED_WATCH_INTERVAL_SECONDS="0.1",
        SPANFEED_LEASE_SECONDS="2",
        SPANFEED_LEASE_RENEW_SECONDS="0.3",
        SPANFEED_FAILPOINTS=",".join(f"{name}={verb}@{places / name}" for name, verb in _ARMED.items()),
        OPENAI_BASE_URL=model.base_url,
        OPENAI_API_KEY="sk-test",
        OPENAI_MODEL=model.model,
    )
    made.add_document("zebra.md", TURNIPS)
    rabbit.wait()
    yield made.start()
    made.close()
    redis.stop(kill=True)


@pytest.fixture(autouse=True)
def default_answers(model: StandIn) -> None:
    """Each test begins with a model that answers from the documents."""
    model.script()
    model.forget()


def _ends_once(stack: Stack, session_id: str, message_id: str) -> list[dict[str, object]]:
    """Waits for the answer, and checks that each stage was started once and ended once."""
    with stack.feed(session_id, after=0) as feed:
        assert feed.until_ended(message_id)["event_type"] == "saving_message"
    with stack.client() as client:
        assert ANSWER in client.get(f"/chat/{session_id}/messages/{message_id}").json()["answer"]
    events = stack.events(session_id)
    check_endings(events)
    return events


def _length(rabbit: RabbitPart, stage: str) -> int | None:
    """How many messages wait for a stage; None when there is no such queue."""
    with kombu.Connection(rabbit.url) as connection, connection.channel() as channel:
        try:
            return int(channel.queue_declare(f"spanfeed.{stage}", passive=True).message_count)
        except amqp.exceptions.NotFound:
            return None


def _send_again(rabbit: RabbitPart, stage: str, session_id: str, message_id: str) -> None:
    with Celery("again", broker=rabbit.url, set_as_current=False) as app:
        name = f"spanfeed.{stage}"
        queue = kombu.Queue(name, routing_key=name)
        app.send_task(name, args=[session_id, message_id], queue=queue, ignore_result=True)


def test_a_question_is_answered(stack: Stack, rabbit: RabbitPart) -> None:
    """Without this an installation whose broker is RabbitMQ would answer nothing."""
    reply = stack.ask(QUESTION, "asked")
    assert reply.status_code == 200, reply.text
    assert ANSWER in reply.json()["answer"]
    check_endings(stack.events("asked"))
    assert {stage: _length(rabbit, stage) for stage in STAGES} == dict.fromkeys(STAGES, 0)
    # Nothing of Celery's is left to Redis.
    assert [key for key in stack.redis.client().keys("*") if b"kombu" in key or key.startswith(b"spanfeed.")] == []


def test_a_killed_child_does_not_cost_the_answer(stack: Stack, places: Path) -> None:
    """Without this a child killed in its work would leave the question open."""
    (places / "think.worked").unlink()
    events = _ends_once(stack, "killed", stack.ask_async(QUESTION, "killed"))
    assert (places / "think.worked").exists()
    assert [event["reason"] for event in events if event["reason"]] == ["worker_lost"]


def test_a_stage_that_was_not_sent_on_is_sent_by_the_watchdog(stack: Stack, places: Path) -> None:
    """Without this a worker that dies between a stage's end and the next message would leave a question open."""
    (places / "think.unsent").unlink()
    message_id = stack.ask_async(QUESTION, "unsent")
    events = _ends_once(stack, "unsent", message_id)
    assert (places / "think.unsent").exists()
    assert f"search of {message_id} was sent" in stack.log("recorder")
    assert [event["reason"] for event in events if event["reason"]] == []


def test_a_whole_worker_is_killed(stack: Stack, places: Path) -> None:
    """Without this a machine that goes away would leave the question open: RabbitMQ redelivers too early."""
    (places / "search.begun").unlink()
    with stack.feed("gone") as feed:
        message_id = stack.ask_async(QUESTION, "gone")
        feed.until_event("tool_search_documents", "started")
        stack.start_worker("second")
        worker = psutil.Process(stack.processes["worker"].pid)
        for process in [*worker.children(recursive=True), worker]:
            process.kill()
        stack.processes.pop("worker").wait(10)
        wait_for(lambda: f"search of {message_id} was refused" in stack.log("second"), "the early redelivery")
        (places / "search.begun").touch()
    events = _ends_once(stack, "gone", message_id)
    assert [event["reason"] for event in events if event["reason"]] == ["worker_lost"]


def test_messages_that_come_twice_change_nothing(stack: Stack, rabbit: RabbitPart, model: StandIn) -> None:
    """Without this a redelivery would answer a second time."""
    model.script(words=["seven ", "turnips"], step=True)
    message_id = stack.ask_async(QUESTION, "twice")
    model.wait_for_requests(1, timeout=60)
    _send_again(rabbit, "generate", "twice", message_id)
    worker = next(name for name in ("second", "worker") if name in stack.processes)
    wait_for(lambda: f"generate of {message_id} was refused" in stack.log(worker), "the refusal of what is held")
    model.release(2)
    events = _ends_once(stack, "twice", message_id)
    for stage in STAGES:
        _send_again(rabbit, stage, "twice", message_id)
        wait_for(lambda s=stage: f"{s} of {message_id} was refused" in stack.log(worker), "the refusal of what is done")
    assert stack.events("twice") == events


def test_a_transient_fault_is_tried_again_after_a_wait(stack: Stack, model: StandIn) -> None:
    """Without this a model that breaks off once would cost the answer, where Redis is not the broker."""
    model.script(words=["seven ", "turnips"], cut_after=1)
    with stack.feed("transient") as feed:
        message_id = stack.ask_async(QUESTION, "transient")
        again = feed.until_event("response_generation", "progress")
        model.script(words=["seven ", "turnips"])
        feed.until_ended(message_id)
    assert again["event_data"]["wait_ms"] == 500
    retried = [event for event in _ends_once(stack, "transient", message_id) if event["reason"]]
    assert [(event["event_status"], event["reason"]) for event in retried] == [("progress", "retry")]


def test_cancel_while_streaming(stack: Stack, model: StandIn) -> None:
    """Without this a user could not stop an answer, where Redis is not the broker."""
    model.script(words=["one ", "two ", "three"], step=True)
    with stack.feed("stopped") as feed:
        message_id = stack.ask_async(QUESTION, "stopped")
        model.release(1)
        feed.until(lambda frame: frame["type"] == "chunk")
        with stack.client() as client:
            assert client.post(f"/chat/stopped/messages/{message_id}/cancel").json()["cancelled"] is True
        assert feed.until_ended(message_id)["reason"] == "cancelled"
    model.release(2)
    check_endings(stack.events("stopped"))


def test_a_silent_broker_does_not_hold_up_the_asker(stack: Stack, rabbit: RabbitPart) -> None:
    """Without this a broker that hangs would hang every request, or lose what was asked meanwhile."""
    rabbit.signal(signal.SIGSTOP)
    started = time.monotonic()
    try:
        message_id = stack.ask_async(QUESTION, "silent")
        took = time.monotonic() - started
    finally:
        rabbit.signal(signal.SIGCONT)
    assert took < _POST_SECONDS
    _ends_once(stack, "silent", message_id)


def test_a_message_is_accepted_without_the_broker_and_answered_later(stack: Stack, rabbit: RabbitPart) -> None:
    """Without this a RabbitMQ that restarts would turn users away, or lose what they wrote."""
    rabbit.stop(kill=True)
    rabbit.start(wait=False)
    started = time.monotonic()
    message_id = stack.ask_async(QUESTION, "away")
    assert time.monotonic() - started < _POST_SECONDS
    with stack.client() as client:
        assert client.get(f"/chat/away/messages/{message_id}").json()["status"] == "queued"
    rabbit.wait()
    _ends_once(stack, "away", message_id)


def test_queued_runs_are_not_sent_twice(stack: Stack) -> None:
    """Without this a backlog would be answered by a storm of repeated messages."""
    for name in ("worker", "second"):
        if name in stack.processes:
            stack.stop(name)
    before = stack.log("recorder").count(" was sent")
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
    assert stack.log("recorder").count(" was sent") == before

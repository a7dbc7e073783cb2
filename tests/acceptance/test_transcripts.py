"""Whole runs, compared event by event with the golden transcripts over every transport and in the trace."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.transcripts import compare_everywhere, compare_with_trace
from tests.parts.otlp_part import OtlpPart
from tests.parts.redis_part import RedisPart
from tests.parts.stack import STAGES, Stack
from tests.parts.waiting import wait_for
from tests.stand_in import StandIn

TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"


@pytest.fixture(scope="module")
def otlp() -> Iterator[OtlpPart]:
    """The endpoint that spans are exported to."""
    part = OtlpPart()
    yield part
    part.close()


def _export_to(otlp: OtlpPart) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture(scope="module")
def quiet_stack(otlp: OtlpPart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Spanfeed without faults, shared by the runs that need none."""
    folder = tmp_path_factory.mktemp("quiet")
    redis = RedisPart(folder / "redis")
    stack = Stack(folder / "home", redis, **_export_to(otlp))
    stack.add_document("zebra.md", TURNIPS)
    yield stack.start()
    stack.close()
    redis.stop(kill=True)


def _run(stack: Stack, otlp: OtlpPart, name: str, message: str, session_id: str | None = None) -> str:
    """Plays one message and compares it everywhere; gives the session."""
    session_id = session_id or str(uuid.uuid4())
    with stack.feed(session_id) as feed:
        message_id = stack.ask_async(message, session_id)
        feed.until_ended(message_id)
        live = [event for event in feed.events if event["message_id"] == message_id]
    compare_everywhere(stack, session_id, message_id, live, name)
    compare_with_trace(otlp, live)
    return session_id


def test_first_question_and_follow_up(quiet_stack: Stack, otlp: OtlpPart) -> None:
    """Without this a user would not see the stages of a question, or of a second one in its history (1, 2)."""
    session_id = _run(quiet_stack, otlp, "01_first_question", QUESTION)
    _run(quiet_stack, otlp, "02_follow_up", "and what does it eat?", session_id)


def test_greeting(quiet_stack: Stack, otlp: OtlpPart) -> None:
    """Without this a greeting would be searched for in the documents (3)."""
    _run(quiet_stack, otlp, "03_greeting", "Hello!")


def test_nothing_found(quiet_stack: Stack, otlp: OtlpPart) -> None:
    """Without this a user would be told something that the documents do not hold (12)."""
    session_id = _run(quiet_stack, otlp, "12_nothing_found", "xylophonic wombatology quarkfest")
    with quiet_stack.client() as client:
        turn = client.get(f"/chat/{session_id}").json()["messages"][-1]
    assert turn["message_type"] == "assistant"
    assert turn["metadata"]["refused"] is True
    assert turn["metadata"]["sources"] == []
    assert turn["metadata"]["confidence"] < 0.5


@pytest.mark.parametrize(
    ("name", "failing", "word"),
    [
        ("04_one_of_two_collections_fails", ("b",), "turnips"),
        ("05_all_collections_fail", ("a", "b"), "could not be searched"),
    ],
)
def test_failed_collections(
    make_stack: Callable[..., Stack], otlp: OtlpPart, tmp_path: Path, name: str, failing: tuple[str, ...], word: str
) -> None:
    """Without this one broken collection would take the whole answer with it (4, 5)."""
    failpoints = ",".join(f"search.{collection}=fail@{tmp_path / 'mended'}" for collection in failing)
    stack = make_stack(**_export_to(otlp), SPANFEED_FAILPOINTS=failpoints)
    stack.add_document("zebra.md", TURNIPS, "a")
    stack.add_document("zoo.md", "# Zoo\n\nThe zoo opens at nine.\n", "b")
    session_id = _run(stack.start(), otlp, name, QUESTION)
    with stack.client() as client:
        answer = client.get(f"/chat/{session_id}").json()["messages"][-1]["content"]
    assert word in answer, answer


def test_transient_fault_in_generate(make_stack: Callable[..., Stack], otlp: OtlpPart) -> None:
    """Without this a model that breaks off once would leave half an answer (6)."""
    with StandIn() as model:
        stack = make_stack(**_export_to(otlp), **_model(model))
        stack.add_document("zebra.md", TURNIPS)
        stack.start()
        model.script(words=["Quillon ", "eats ", "seven ", "turnips ", "[1]."], cut_after=2)
        session_id = "transient"
        with stack.feed(session_id) as feed:
            message_id = stack.ask_async(QUESTION, session_id)
            feed.until_event("response_generation", "progress")
            model.script(words=["Quillon ", "eats ", "seven ", "turnips ", "[1]."])
            feed.until_ended(message_id)
        compare_everywhere(stack, session_id, message_id, feed.events, "06_transient_fault_in_generate")
        compare_with_trace(otlp, feed.events)
        attempts = [(chunk["attempt"], chunk["text"]) for chunk in feed.chunks]
        assert {attempt for attempt, _ in attempts} == {1, 2}
        assert "".join(piece for attempt, piece in attempts if attempt == 2) == "Quillon eats seven turnips [1]."
        assert [f["attempt"] for f in feed.frames if f["type"] == "answer_reset"] == [2]
        with stack.client() as client:
            exchange = client.get(f"/chat/{session_id}/messages/{message_id}").json()
        assert exchange["answer"] == "Quillon eats seven turnips [1]."


def test_child_killed_in_search(make_stack: Callable[..., Stack], otlp: OtlpPart, tmp_path: Path) -> None:
    """Without this a killed child would show a stage twice, or for ever (7)."""
    stack = make_stack(**_export_to(otlp), SPANFEED_FAILPOINTS=f"search.found=kill@{tmp_path / 'killed'}")
    stack.add_document("zebra.md", TURNIPS)
    _run(stack.start(), otlp, "07_child_killed_in_search", QUESTION)
    assert (tmp_path / "killed").exists()


def test_tries_used_up_in_generate(make_stack: Callable[..., Stack], otlp: OtlpPart) -> None:
    """Without this a model that stays broken would leave the user waiting (8)."""
    with StandIn() as model:
        stack = make_stack(**_export_to(otlp), **_model(model), SPANFEED_RETRY_BACKOFF_SECONDS="0.1")
        stack.add_document("zebra.md", TURNIPS)
        stack.start()
        model.script(words=["Quillon ", "eats ", "seven."], cut_after=2)
        session_id = _run(stack, otlp, "08_tries_used_up_in_generate", QUESTION)
        stack.settled()
        with stack.client() as client:
            asked, partial = client.get(f"/chat/{session_id}").json()["messages"]
        assert (asked["metadata"]["status"], asked["metadata"]["reason"]) == ("failed", "error")
        assert partial["content"] == "Quillon eats "
        assert partial["metadata"]["partial"] is True
        reply = stack.ask(QUESTION)
        assert reply.status_code == 503
        assert reply.json()["detail"].startswith("Something went wrong")
        assert reply.json()["reason"] == "error"


def test_hard_time_limit_in_think(make_stack: Callable[..., Stack], otlp: OtlpPart, tmp_path: Path) -> None:
    """Without this a stage that hangs would be shown as running for ever (9)."""
    stack = make_stack(
        **_export_to(otlp),
        SPANFEED_FAILPOINTS=f"think.begun=hold@{tmp_path / 'never'}",
        SPANFEED_STAGE_SOFT_TIME_LIMIT_SECONDS="0",
        SPANFEED_STAGE_TIME_LIMIT_SECONDS="2",
    )
    stack.add_document("zebra.md", TURNIPS)
    _run(stack.start(), otlp, "09_hard_time_limit_in_think", QUESTION)


def test_cancelled_while_streaming(make_stack: Callable[..., Stack], otlp: OtlpPart) -> None:
    """Without this a stopped answer would be shown as running, or lose what had been said (10)."""
    with StandIn() as model:
        stack = make_stack(**_export_to(otlp), **_model(model))
        stack.add_document("zebra.md", TURNIPS)
        stack.start()
        model.script(words=["Quillon ", "eats ", "seven."], step=True)
        with stack.feed("stopped") as feed:
            message_id = stack.ask_async(QUESTION, "stopped")
            model.release(2)
            feed.until(lambda frame: frame["type"] == "chunk" and "eats" in frame["text"])
            _cancel(stack, "stopped", message_id)
            feed.until_ended(message_id)
        model.release(1)
        compare_everywhere(stack, "stopped", message_id, feed.events, "10_cancelled_while_streaming")
        compare_with_trace(otlp, feed.events)
        assert "".join(chunk["text"] for chunk in feed.chunks) == "Quillon eats "
        with stack.client() as client:
            asked, partial = client.get("/chat/stopped").json()["messages"]
        assert (asked["metadata"]["status"], asked["metadata"]["reason"]) == ("cancelled", "cancelled")
        assert (partial["content"], partial["metadata"]["partial"]) == ("Quillon eats ", True)


def test_cancelled_while_queued(make_stack: Callable[..., Stack], otlp: OtlpPart) -> None:
    """Without this a question that waits could not be stopped, or would be answered all the same (11)."""
    stack = make_stack(**_export_to(otlp))
    stack.start(worker=False)
    stack.start_worker("receives", "spanfeed.receive")
    with stack.feed("queued") as feed:
        message_id = stack.ask_async(QUESTION, "queued")
        feed.until_event("message_received", "completed")
        _cancel(stack, "queued", message_id)
        feed.until_ended(message_id)
    # The message that lies in the queue is taken out of it, and nothing comes of it.
    stack.start_worker("thinks", "spanfeed.think")
    wait_for(lambda: f"think of {message_id} was refused" in stack.log("thinks"), "the refusal")
    compare_everywhere(stack, "queued", message_id, feed.events, "11_cancelled_while_queued")
    compare_with_trace(otlp, feed.events)


def test_worker_lost_while_queued(make_stack: Callable[..., Stack], otlp: OtlpPart) -> None:
    """Without this a question whose worker goes away between two stages would be lost, or begun anew (13)."""
    stack = make_stack(**_export_to(otlp))
    stack.add_document("zebra.md", TURNIPS)
    stack.start(worker=False)
    stack.start_worker("first", ",".join(f"spanfeed.{stage}" for stage in STAGES if stage != "generate"))
    with stack.feed("waiting") as feed:
        message_id = stack.ask_async(QUESTION, "waiting")
        feed.until_event("agent_thinking", "completed")
        waits_since = time.monotonic()
        stack.stop("first", signal.SIGKILL)
        waited_ms = (time.monotonic() - waits_since) * 1000
        stack.start_worker("second")
        feed.until_ended(message_id)
    compare_everywhere(stack, "waiting", message_id, feed.events, "13_worker_lost_while_queued")
    compare_with_trace(otlp, feed.events)
    [generating] = [
        event
        for event in feed.events
        if (event["event_type"], event["event_status"]) == ("response_generation", "started")
    ]
    assert generating["queue_time_ms"] >= waited_ms


def _cancel(stack: Stack, session_id: str, message_id: str) -> None:
    with stack.client() as client:
        reply = client.post(f"/chat/{session_id}/messages/{message_id}/cancel")
    assert reply.json()["cancelled"] is True


def _model(model: StandIn) -> dict[str, str]:
    return {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test", "OPENAI_MODEL": model.model}

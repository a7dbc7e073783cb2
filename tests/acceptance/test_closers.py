"""What the worker's main process ends when a child cannot: revoked, out of memory, recycled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.endings import check_endings
from tests.parts.stack import BIN, ROOT, Stack
from tests.parts.waiting import wait_for

TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"


def _control(stack: Stack, *arguments: str) -> None:
    command = [str(BIN / "celery"), "-A", "tasks", "control", *arguments]
    environment = {**os.environ, **stack.environment}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=30)


def _held_stack(make_stack: Callable[..., Stack], tmp_path: Path) -> Stack:
    stack = make_stack(SPANFEED_FAILPOINTS=f"think.begun=hold@{tmp_path / 'go'}")
    stack.add_document("zebra.md", TURNIPS)
    return stack.start()


@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_a_running_stage_is_revoked(make_stack: Callable[..., Stack], tmp_path: Path, number: str) -> None:
    """Without this an operator who revokes a task would leave its message open for ever."""
    stack = _held_stack(make_stack, tmp_path)
    with stack.feed("revoked") as feed:
        message_id = stack.ask_async(QUESTION, "revoked")
        started = feed.until_event("agent_thinking", "started")
        _control(stack, "terminate", number, started["task_id"])
        ended = feed.until_ended(message_id)
    assert (ended["event_type"], ended["reason"]) == ("error", "cancelled")
    failed = feed.events[-2]
    assert (failed["event_type"], failed["event_status"], failed["reason"]) == (
        "agent_thinking",
        "failed",
        "cancelled",
    )
    check_endings(stack.events("revoked"))
    (tmp_path / "go").touch()
    assert stack.ask(QUESTION, "after").status_code == 200


def test_a_queued_stage_is_revoked(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """Without this a task that is revoked while it waits would leave its message open for ever."""
    stack = make_stack()
    stack.start(worker=False)
    message_id = stack.ask_async(QUESTION, "waiting")
    raw = stack.redis.client().lindex("spanfeed.receive", 0)
    assert raw is not None
    task_id = json.loads(raw)["headers"]["id"]
    # A worker that hears of the revocation before it is given the message.
    stack.start_worker("hears", "spanfeed.maintenance")
    _control(stack, "revoke", task_id)
    _control(stack, "add_consumer", "spanfeed.receive")
    with stack.feed("waiting", after=0) as feed:
        ended = feed.until_ended(message_id)
    assert (ended["event_type"], ended["reason"]) == ("error", "cancelled")


def test_a_child_that_is_killed_for_memory_is_a_lost_child(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """Without this the kernel's out-of-memory killer, which sends SIGKILL, would cost the answer."""
    stack = _held_stack(make_stack, tmp_path)
    with stack.feed("memory") as feed:
        message_id = stack.ask_async(QUESTION, "memory")
        feed.until_event("agent_thinking", "started")
        child = wait_for(lambda: stack.child_holding(message_id), "a child that holds the stage")
        (tmp_path / "go").touch()
        # The child may have gone on already: then it is held no more, and nothing is killed in its name.
        if stack.child_holding(message_id) == child:
            os.kill(child, signal.SIGKILL)
        feed.until_ended(message_id)
    assert feed.events[-1]["event_type"] == "saving_message"
    check_endings(stack.events("memory"))


def test_children_that_are_recycled_lose_nothing(make_stack: Callable[..., Stack]) -> None:
    """Without this --max-tasks-per-child would cost a stage with each child that ends."""
    stack = make_stack()
    stack.add_document("zebra.md", TURNIPS)
    stack.start(worker=False)
    options = ["--max-tasks-per-child=1", "--concurrency=2", "--without-mingle", "--without-gossip", "-l", "INFO"]
    stack.spawn("recycling", "celery", "-A", "tasks", "worker", *options)
    stack.wait_worker("recycling")
    for number in range(3):
        reply = stack.ask(QUESTION, f"recycled-{number}")
        assert "seven turnips" in reply.json()["answer"]
        check_endings(stack.events(f"recycled-{number}"))


def test_a_warm_shutdown_finishes_what_it_holds(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """Without this a deploy would cut answers off: a worker that got SIGTERM finishes its stage."""
    stack = _held_stack(make_stack, tmp_path)
    with stack.feed("deploy") as feed:
        message_id = stack.ask_async(QUESTION, "deploy")
        feed.until_event("agent_thinking", "started")
        old = stack.processes.pop("worker")
        old.send_signal(signal.SIGTERM)
        stack.start_worker("new")
        (tmp_path / "go").touch()
        feed.until_ended(message_id)
        old.wait(20)
    events: list[dict[str, Any]] = stack.events("deploy")
    check_endings(events)
    assert [e for e in events if e["event_status"] == "progress" and e["reason"]] == []


def test_a_poisonous_message_ends_after_its_tries(make_stack: Callable[..., Stack]) -> None:
    """Without this a message that kills every child that touches it would kill children for ever."""
    stack = make_stack(SPANFEED_FAILPOINTS="think.begun=kill@/dev/null/never")
    stack.add_document("zebra.md", TURNIPS)
    stack.start()
    started = time.monotonic()
    with stack.feed("poison") as feed:
        message_id = stack.ask_async(QUESTION, "poison")
        ended = feed.until_ended(message_id)
    assert (ended["event_type"], ended["reason"], ended["attempt"]) == ("error", "worker_lost", 3)
    assert time.monotonic() - started < 20
    check_endings(stack.events("poison"))

"""A worker that dies with its machine still up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.endings import check_endings
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for


def test_a_worker_killed_on_this_machine_is_seen_before_its_lease_runs_out(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """Without this a user would wait for the lease to run out when a worker's process is killed."""
    stack = make_stack(SPANFEED_LEASE_SECONDS="90", SPANFEED_FAILPOINTS=f"think.begun=hold@{tmp_path / 'go'}")
    stack.start()
    with stack.feed("killed") as feed:
        message_id = stack.ask_async("Which vegetables are there?", "killed")
        feed.until_event("agent_thinking", "started")
        holders = stack.home / "holders"
        # Between its beginning and its note a stage is the lease's affair.
        wait_for(lambda: any(message_id in f.read_text() for f in holders.glob("[!.]*")), "the child's note")
        os.killpg(stack.processes["worker"].pid, signal.SIGKILL)
        stack.processes.pop("worker").wait(10)
        (tmp_path / "go").touch()
        stack.start_worker("second", wait=False)
        assert feed.until_event("agent_thinking", "progress", 30)["reason"] == "worker_lost"
        feed.until_ended(message_id)
    check_endings(stack.events("killed"))

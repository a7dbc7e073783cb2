"""How soon a killed child is noticed."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.parts.stack import Stack
from tests.parts.waiting import wait_for

_KILLS = 5
_NOTICED_SECONDS = 3.0
"""Between what a busy machine takes, about 1 s, and Celery's own look, which comes 4 to 5 s after such a kill."""


def test_a_killed_child_is_noticed_at_once(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """Without this a user would wait up to 5 s longer, whenever the worker looks before the child is quite dead."""
    stack = make_stack(
        SPANFEED_FAILPOINTS=f"think.begun=hold@{tmp_path / 'go'}", SPANFEED_STAGE_TRIES_LIMIT=str(_KILLS + 1)
    )
    stack.start()
    core = min(os.sched_getaffinity(0))
    psutil.Process(stack.processes["worker"].pid).cpu_affinity([core])
    took = []
    with stack.feed("noticed") as feed:
        message_id = stack.ask_async("Which vegetables are there?", "noticed")
        for _ in range(_KILLS):
            child = wait_for(lambda: _thinking_child(stack, message_id), "a child that thinks")
            _die_slowly(child, core)
            killed = time.monotonic()
            os.kill(child, signal.SIGKILL)
            feed.until_event("agent_thinking", "progress")
            took.append(time.monotonic() - killed)
        (tmp_path / "go").touch()
        assert feed.until_ended(message_id)["event_type"] != "error"
    assert statistics.median(took) < _NOTICED_SECONDS, took


def _thinking_child(stack: Stack, message_id: str) -> int:
    stage, state = stack.redis.client().hmget(f"sf:{{0}}:run:{message_id}", "cur", "state")
    return stack.child_holding(message_id) if (stage, state) == (b"think", b"running") else 0


def _die_slowly(child: int, core: int) -> None:
    """From now on the child only gets what its worker leaves of their core: it dies after the worker has looked."""
    psutil.Process(child).cpu_affinity([core])
    os.sched_setscheduler(child, os.SCHED_IDLE, os.sched_param(0))

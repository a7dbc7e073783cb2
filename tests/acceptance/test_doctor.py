"""The doctor looks at a whole Spanfeed, and verify at what it has recorded."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

from tests.parts.stack import BIN, ROOT, STAGES, Stack
from tests.parts.waiting import wait_for

QUESTION = "How many turnips does the zebra Quillon eat?"


def _asked(stack: Stack, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, **stack.environment}
    command = [str(BIN / "spanfeed"), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def _doctor(stack: Stack) -> tuple[int, dict[str, dict[str, Any]]]:
    status, text = _asked(stack, "doctor", "--json")
    return status, {check["name"]: check for check in json.loads(text)["checks"]}


def test_a_healthy_spanfeed_and_one_without_a_searcher(make_stack: Callable[..., Stack]) -> None:
    """Without this an operator would look for hours for the one worker that is not there."""
    stack = make_stack()
    stack.add_document("zebra.md", "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n")
    others = ",".join(f"spanfeed.{stage}" for stage in (*STAGES, "maintenance") if stage != "search")
    stack.start(worker=False)
    stack.start_worker("most", others, wait=False)
    stack.start_worker("searcher", "spanfeed.search", wait=False)
    stack.wait_worker("most")
    stack.wait_worker("searcher")
    assert stack.ask(QUESTION, "healthy").status_code == 200
    stack.settled()

    status, checks = _doctor(stack)
    assert status == 0, checks
    assert {check["level"] for name, check in checks.items() if name != "page"} == {"ok"}, checks
    assert "2: most@" in checks["workers"]["found"]
    assert checks["recorder"]["found"] == "1 running, everything is stored"

    stack.stop("searcher")
    stack.ask_async(QUESTION, "waiting")
    wait_for(lambda: stack.redis.client().llen("spanfeed.search"), "a message that waits to be searched for")
    status, checks = _doctor(stack)
    assert status == 1
    assert checks["queue spanfeed.search"]["level"] == "fault"
    assert "1 messages wait" in checks["queue spanfeed.search"]["found"]
    assert "--queues spanfeed.search" in checks["queue spanfeed.search"]["mend"]
    assert [name for name, check in checks.items() if check["level"] == "fault"] == ["queue spanfeed.search"]
    # A run that lives is no finding, however long it waits.
    assert _asked(stack, "events", "verify")[0] == 0

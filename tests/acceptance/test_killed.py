"""A worker's child is killed in each stage, and the answer still comes: once."""

from __future__ import annotations

import collections
from collections.abc import Iterator

import pytest

from tests.parts.redis_part import RedisPart
from tests.parts.stack import STAGES, Stack
from tests.parts.waiting import wait_for

TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"
MOMENTS = ("begun", "worked", "ended")


def _check_endings(events: list[dict[str, object]]) -> None:
    """Each span started once and ended once; the sequence is dense."""
    started = collections.Counter(e["span_id"] for e in events if e["event_status"] == "started")
    ended = collections.Counter(
        e["span_id"] for e in events if e["event_status"] in {"completed", "failed"} and e["event_type"] != "error"
    )
    assert set(started.values()) == {1}
    assert ended == started
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))


@pytest.fixture(scope="module")
def mortal_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Spanfeed whose children die where a test says so: a failpoint is armed while its file is missing."""
    folder = tmp_path_factory.mktemp("mortal")
    places = [f"{stage}.{moment}" for stage in STAGES for moment in MOMENTS]
    for place in places:
        (folder / place).touch()
    redis = RedisPart(folder / "redis")
    failpoints = ",".join(f"{place}=kill@{folder / place}" for place in places)
    stack = Stack(folder / "home", redis, SPANFEED_FAILPOINTS=failpoints)
    stack.add_document("zebra.md", TURNIPS)
    yield stack.start()
    stack.close()
    redis.stop(kill=True)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_child_does_not_cost_the_answer(mortal_stack: Stack, stage: str, moment: str) -> None:
    """Without this a child killed before, in or just after its work would leave a stage open, or end it twice."""
    stack, session_id = mortal_stack, f"{stage}-{moment}"
    if stage == "history":
        assert stack.ask(QUESTION, session_id).status_code == 200
    armed = stack.home.parent / f"{stage}.{moment}"
    armed.unlink()
    reply = stack.ask(QUESTION, session_id)
    assert reply.status_code == 200, reply.text
    assert "seven turnips" in reply.json()["answer"]
    # The reply may come before the child has come to its end, or another one has ended the stage for it.
    wait_for(armed.exists, "the child's death")
    with stack.feed(session_id, after=0) as feed:
        feed.until_ended(reply.json()["message_id"])
    stack.settled()
    _check_endings(stack.events(session_id))
    with stack.client() as client:
        turns = client.get(f"/chat/{session_id}").json()["messages"]
    answers = [turn for turn in turns if turn["message_type"] == "assistant"]
    assert len(answers) == len(turns) / 2

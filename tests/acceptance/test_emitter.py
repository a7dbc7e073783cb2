"""Redis is killed while a stage works, and what the stage tells meanwhile is in the feed all the same."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
import sqlalchemy

from pipeline.store.events import session_events
from tests.acceptance.endings import check_endings
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for

TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"
TELLS = 10
"""How often the think stage of telling_worker.py tells progress, a span for the user and one for operators."""
WORKER = "celery -A tests.acceptance.telling_worker worker --without-mingle --without-gossip --concurrency=2"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RedisPart]:
    """A Redis for the messages only: the one of the events may be killed without the worker's noticing."""
    part = RedisPart(tmp_path / "broker")
    yield part
    part.stop(kill=True)


def test_what_is_told_while_redis_is_away_comes_late(
    make_stack: Callable[..., Stack], broker: RedisPart, tmp_path: Path
) -> None:
    """Without this whatever a stage told while Redis restarted would be missing from the feed and the record."""
    held, spools = tmp_path / "go", tmp_path / "home0" / "spool"
    stack = make_stack(
        SPANFEED_BROKER_URL=broker.url,
        SPANFEED_FAILPOINTS=f"think.begun=hold@{held}",
        SPANFEED_LEASE_SECONDS="60",
    )
    stack.add_document("zebra.md", TURNIPS)
    stack.start(worker=False)
    stack.spawn("worker", *WORKER.split(), "--loglevel=INFO", "--hostname=worker@%h")
    stack.wait_worker("worker")
    with stack.feed("away") as feed:
        message_id = stack.ask_async(QUESTION, "away")
        feed.until_event("agent_thinking", "started")
    stack.redis.stop(kill=True)
    held.touch()
    lines = 5 * TELLS
    wait_for(lambda: sum(f.read_bytes().count(b"\n") - 1 for f in spools.glob("*.spool")) == lines, "the spool", 40)
    stack.redis.start()

    def answered() -> bool:
        with stack.client() as client:
            found = client.get(f"/chat/away/messages/{message_id}")
            return found.status_code == 200 and bool(found.json()["status"] == "completed")

    wait_for(answered, f"the answer; the worker's log: {stack.log('worker')}", 40)
    stack.settled()
    told = stack.events("away")
    check_endings(told)
    opened = [place for place, event in enumerate(told) if event["event_type"] == "agent_thinking"]
    late = told[opened[0] + 1 : opened[-1]]
    assert [e["user_message"] for e in late if e["event_type"] == "agent_thinking"] == [
        f"step {number}" for number in range(TELLS)
    ]
    shown = [(e["event_data"]["number"], e["event_status"]) for e in late if e["event_type"] == "custom.telling"]
    assert shown == [(number, status) for number in range(TELLS) for status in ("started", "completed")]
    assert all("emitted_at" in e["metadata"] for e in late if "telling" in e["event_type"])
    with stack.store.read() as connection:
        asked = sqlalchemy.text("SELECT count(*), count(DISTINCT span_id) FROM events WHERE event_type = 'span'")
        assert tuple(connection.execute(asked).one()) == (2 * TELLS, TELLS)
    assert list(spools.iterdir()) == []


_DYING = """
import os, signal
from pipeline import settings
from pipeline.bus import open_bus
from pipeline.emitter import Emitter
from pipeline.event import Category, Identity, Priority, State, Status
identity = Identity("custom.thing", Category.AUDIT, Priority.NORMAL, "left")
emitter = Emitter(open_bus(settings.load()))
for n in range(5):
    emitter.append(identity, State(Status.COMPLETED, f"left {n}"), str(n))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_had_kept_is_told_by_the_recorder(make_stack: Callable[..., Stack]) -> None:
    """Without this the events of a process that died while Redis was away would wait until somebody else has some."""
    stack = make_stack()
    stack.redis.stop()
    assert stack.spawn("dying", "python", "-c", _DYING).wait(30) == -signal.SIGKILL
    stack.processes.pop("dying")
    stack.redis.start()
    stack.start_recorder()
    wait_for(lambda: not list((stack.home / "spool").iterdir()), "the recorder's adoption")
    stack.settled()
    found = session_events(stack.store, "left", 0, 10)
    assert [orjson.loads(event.wire)["user_message"] for event in found] == [f"left {n}" for n in range(5)]

"""Recorders as processes: stopped, killed, several at once; every event is stored once, under its own id."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pipeline.bus import Bus, keys, open_bus
from pipeline.store import events
from pipeline.store.models import event_minutes
from pipeline.store.models import events as table
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.web.site import emit


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A web server on a Redis of its own; each test starts and stops its recorders."""
    part = RedisPart(tmp_path_factory.mktemp("redis"))
    made = Stack(tmp_path_factory.mktemp("home"), part).start(worker=False, recorder=False)
    yield made
    made.close()
    part.stop(kill=True)


@pytest.fixture
def bus(stack: Stack) -> Iterator[Bus]:
    """A bus to append with."""
    opened = open_bus(stack.settings())
    yield opened
    opened.close_connections()


@pytest.fixture(autouse=True)
def no_recorder_is_left(stack: Stack) -> Iterator[None]:
    """Ends the recorders of the test."""
    yield
    for name in [name for name in stack.processes if name.startswith("recorder")]:
        stack.stop(name, signal.SIGKILL)


def _stored(stack: Stack, session_id: str) -> list[int]:
    return [event.id for event in events.session_events(stack.store, session_id, 0, 100_000)]


def _wait_stored(stack: Stack, session_id: str, ids: list[int], seconds: float = 30) -> None:
    wait_for(lambda: len(_stored(stack, session_id)) >= len(ids), "the rows", seconds)
    assert _stored(stack, session_id) == ids


def _counts(stack: Stack) -> tuple[int, int]:
    """How many events are stored, and how many the minutes' counts hold."""
    with stack.store.read() as connection:
        rows = connection.execute(select(func.count()).select_from(table)).scalar_one()
        counted = connection.execute(select(func.coalesce(func.sum(event_minutes.c.events), 0))).scalar_one()
    return int(rows), int(counted)


def test_without_a_recorder_feeds_go_on_and_nothing_is_lost(stack: Stack, bus: Bus, session_id: str) -> None:
    """While the recorder is down users would see nothing, and auditors would miss it for ever."""
    with stack.feed(session_id) as client:
        ids = emit(bus, session_id, 50)
        client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == ids[-1])
    polled = stack.events(session_id)
    assert _stored(stack, session_id) == []
    assert [event["id"] for event in client.events] == ids
    stack.start_recorder()
    _wait_stored(stack, session_id, ids)
    assert stack.events(session_id) == polled == client.events


def test_a_burst_reaches_the_socket_and_the_database_complete(stack: Stack, bus: Bus, session_id: str) -> None:
    """Of a burst of events most would be lost, as in the second seed's original."""
    stack.start_recorder()
    with stack.feed(session_id) as client:
        ids: list[int] = []
        writing = threading.Thread(target=lambda: ids.extend(emit(bus, session_id, 3_000)))
        writing.start()
        client.until(lambda frame: frame["type"] == "event" and frame["event"]["seq"] == 3_000)
        writing.join(20)
    assert [event["id"] for event in client.events] == ids
    _wait_stored(stack, session_id, ids)


def test_several_recorders_store_everything_once(stack: Stack, bus: Bus, session_id: str) -> None:
    """Two servers with a recorder each would store events twice, or each leave some to the other."""
    rows, counted = _counts(stack)
    for number in range(3):
        stack.spawn(f"recorder{number}", "spanfeed", "record")
    names = [f"{session_id}-{number}" for number in range(3)]
    made: dict[str, list[int]] = {}
    writing = [threading.Thread(target=lambda n=name: made.update({n: emit(bus, n, 1_500)})) for name in names]
    for thread in writing:
        thread.start()
    for thread in writing:
        thread.join(60)
    for name in names:
        _wait_stored(stack, name, made[name])
    assert _counts(stack) == (rows + 4_500, counted + 4_500)
    stack.settled()
    consumers = stack.redis.client().xinfo_consumers(keys.LOG, keys.RECORDERS)
    assert len(consumers) >= 3


def test_a_recorder_killed_before_it_has_acknowledged_stores_nothing_twice(
    stack: Stack, bus: Bus, session_id: str, tmp_path: Path
) -> None:
    """A crash at the wrong moment would double the record, or leave entries in the log for ever."""
    rows, counted = _counts(stack)
    died = tmp_path / "died"
    stack.environment["SPANFEED_FAILPOINTS"] = f"recorder.committed=kill@{died}"
    stack.start_recorder()
    ids = emit(bus, session_id, 20)
    wait_for(lambda: stack.processes["recorder"].poll() is not None, "the recorder's death")
    assert died.exists()
    del stack.environment["SPANFEED_FAILPOINTS"]
    assert stack.redis.client().xpending(keys.LOG, keys.RECORDERS)["pending"] > 0
    stack.start_recorder()
    ids += emit(bus, session_id, 20)
    _wait_stored(stack, session_id, ids)
    stack.settled()
    assert _counts(stack) == (rows + 40, counted + 40)


def test_a_recorder_that_is_told_to_stop_finishes_its_batch(stack: Stack, bus: Bus, session_id: str) -> None:
    """Each deployment would leave entries behind that wait for another recorder to claim them."""
    client = stack.redis.client()
    before = client.xpending(keys.LOG, keys.RECORDERS)["pending"]
    stack.start_recorder()
    writing = threading.Thread(target=emit, args=(bus, session_id, 1_500))
    writing.start()
    wait_for(lambda: _stored(stack, session_id), "the first rows")
    process = stack.processes["recorder"]
    stack.stop("recorder")
    assert process.returncode == 0
    writing.join(20)
    assert client.xpending(keys.LOG, keys.RECORDERS)["pending"] <= before


def test_a_recorder_outlives_redis(stack: Stack, bus: Bus, session_id: str) -> None:
    """After a crash of Redis nothing would be recorded until somebody restarts the recorder."""
    stack.start_recorder()
    ids = emit(bus, session_id, 10)
    _wait_stored(stack, session_id, ids)
    stack.redis.stop(kill=True)
    wait_for(lambda: "the recorder waits" in stack.log("recorder"), "the recorder's notice")
    stack.redis.start()
    ids += emit(bus, session_id, 10)
    _wait_stored(stack, session_id, ids)

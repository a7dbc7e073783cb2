"""Redis has lost data: the recorder notices, the operators are told, and open feeds begin anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from sqlalchemy import select

from pipeline.bus import Bus, keys, open_bus
from pipeline.store import Store, marks
from pipeline.store.models import events as table
from tests.parts.stack import Stack
from tests.web.site import Site, emit
from web.epoch import EpochWatch
from web.recorder import Recorder

AHEAD = 2_208_988_800_000_000
"""An id seventy years from now: Redis's clock is behind it."""


def _client(site: Site) -> redis.Redis:
    return redis.Redis.from_url(site.settings.redis_url, socket_timeout=5)


def _alerts(store: Store) -> list[dict[str, Any]]:
    with store.read() as connection:
        rows = connection.execute(select(table).where(table.c.event_type == "system.alert")).all()
    return [{"data": row.event_data, "priority": row.priority, "category": row.category} for row in rows]


@pytest.fixture
def recorded(make_site: Callable[..., Site], database_url: str, session_id: str) -> Site:
    """A site on each supported database, with three stored events."""
    site = make_site(DATABASE_URL=database_url).migrated()
    site.emit(session_id, 3)
    site.recorder().run_until_empty()
    return site


def test_the_operators_are_told_once_that_redis_was_emptied(recorded: Site, session_id: str) -> None:
    """Without this nobody would know why conversations of the last minutes are gone."""
    old = marks.read(recorded.store).epoch
    watches = [EpochWatch(recorded.bus, recorded.store) for _ in range(2)]
    for watch in watches:
        watch.check()
    assert _alerts(recorded.store) == []
    _client(recorded).flushdb()
    for watch in watches:
        watch.check()
    recorded.emit(session_id)
    recorded.recorder().run_until_empty()
    epoch = recorded.bus.clock()[0]
    assert marks.read(recorded.store).epoch == epoch != old
    data = {"alert": "log_lost", "old_epoch": old, "epoch": epoch}
    assert _alerts(recorded.store) == [{"data": data, "priority": "critical", "category": "monitoring"}]
    assert recorded.ids(session_id, after=0) == sorted(set(recorded.ids(session_id, after=0)))
    assert len(recorded.ids(session_id, after=0)) == 4


def test_a_recorder_that_dies_before_it_has_noted_the_epoch_tells_it_once(recorded: Site) -> None:
    """Without this operators would be woken twice for one loss."""
    before = marks.read(recorded.store)
    assert before.epoch is not None
    _client(recorded).flushdb()
    watch = EpochWatch(recorded.bus, recorded.store)
    watch.check()
    marks.note_epoch(recorded.store, before, before.epoch)
    watch.check()
    recorded.recorder().run_until_empty()
    assert len(_alerts(recorded.store)) == 1


def test_an_emptied_redis_whose_clock_is_behind_repeats_no_id(recorded: Site, session_id: str) -> None:
    """Without this new events would get ids below those that clients have read, and never be seen."""
    client = _client(recorded)
    client.hset(keys.CLOCK, "last", AHEAD)
    [newest] = recorded.emit(session_id)
    recorder = recorded.recorder()
    recorder.run_until_empty()
    client.flushdb()
    [low] = recorded.emit(session_id)
    assert low < newest
    epoch = recorded.bus.clock()[0]
    recorder.run_until_empty()
    [high] = recorded.emit(session_id)
    recorder.run_until_empty()
    assert high > newest
    assert recorded.bus.clock()[0] != epoch
    assert recorded.ids(session_id, after=0)[-3:] == [low, newest, high]


def test_a_recorder_notices_it_with_nothing_to_do(recorded: Site) -> None:
    """Without this an idle Redis that was emptied would begin anew unnoticed, below what is stored."""
    watch = EpochWatch(recorded.bus, recorded.store)
    watch.look()
    newest = marks.read(recorded.store).newest_id
    _client(recorded).flushdb()
    recorded.bus.clock()
    # As if Redis's clock were behind, too.
    _client(recorded).hset(keys.CLOCK, "last", 5)
    watch.look()
    assert recorded.bus.clock()[1] < newest
    EpochWatch(recorded.bus, recorded.store).look()
    assert recorded.bus.clock()[1] >= newest


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """A web server on a Redis of its own."""
    return make_stack().start(worker=False, recorder=False)


@pytest.fixture
def stack_bus(stack: Stack) -> Any:
    """A bus beside it."""
    opened = open_bus(stack.settings())
    yield opened
    opened.close_connections()


def test_an_open_feed_begins_anew_when_the_log_does(stack: Stack, stack_bus: Bus, session_id: str) -> None:
    """Without this an open page would trust numbers that are given twice, until it is loaded again."""
    recorder = Recorder(stack.settings(), stack_bus, stack.store)
    with stack.feed(session_id, after=0) as resuming, stack.feed(session_id) as plain:
        ids = emit(stack_bus, session_id, 4)
        recorder.run_until_empty()
        for client in (resuming, plain):
            client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == ids[-1])
        stack.redis.client().flushall()
        new = emit(stack_bus, session_id, 2)
        for client in (resuming, plain):
            client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == new[-1])
        kinds = [frame["type"] for frame in resuming.frames if frame["type"] != "bus"]
        assert kinds == ["connection", "hello", *["event"] * 4, "reset", "hello", *["event"] * 6]
        reset = next(frame for frame in resuming.frames if frame["type"] == "reset")
        assert (reset["reason"], reset["epoch"]) == ("epoch", stack_bus.clock()[0])
        assert [event["id"] for event in resuming.events[4:]] == ids + new
        # Who never asked for a replay may not know what a reset is.
        assert [frame["type"] for frame in plain.frames] == ["connection", *["event"] * 6]
        assert [event["id"] for event in plain.events] == ids + new
    assert [event["id"] for event in stack.events(session_id)] == ids + new


def test_an_open_feed_sees_what_was_given_a_lower_id(stack: Stack, stack_bus: Bus, session_id: str) -> None:
    """Without this, after Redis was emptied with its clock behind, an open page would stay silent for ever."""
    client = stack.redis.client()
    client.hset(keys.CLOCK, mapping={"last": AHEAD, "epoch": "1"})
    with stack.feed(session_id, after=0) as resuming, stack.feed(session_id) as plain:
        [high] = emit(stack_bus, session_id, 1)
        for one in (resuming, plain):
            one.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == high)
        client.flushall()
        stack_bus.clock()
        resuming.until(lambda frame: frame["type"] == "reset")
        low = emit(stack_bus, session_id, 3)
        for one in (resuming, plain):
            one.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == low[-1])
        assert [event["id"] for event in resuming.events] == [high, *low]

"""Appending an event: written once, numbered without gaps, the same bytes for everybody."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import orjson
import pytest
import redis

from pipeline.bus import Bus, Frame, Subscription, keys, open_bus
from pipeline.bus.log import Entry
from pipeline.event import Category, Event, Identity, Priority, State, Status
from pipeline.settings import Settings
from tests.parts.waiting import wait_for
from tests.pipeline.driven import NEWEST, kept

FIELDS = (
    "id seq category event_type event_status priority session_id message_id user_id correlation_id trace_id span_id "
    "parent_span_id task_id attempt event_data metadata user_message timestamp processing_time_ms queue_time_ms "
    "source_system reason"
).split()
IDENTITY = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL, "s-1", "m-1", "u-1")
OPERATORS = dataclasses.replace(IDENTITY, session_id=None, user_id=None)


def append(bus: Bus, key: str, identity: Identity = IDENTITY, **more: Any) -> int:
    """Appends one event by its emitter key."""
    return bus.append(identity, State(Status.PROGRESS, f"text {key}", {"key": key}), key, **more)


def log_of(bus: Bus, limit: int = 10_000) -> list[Entry]:
    """The whole log."""
    return bus.log.read_log(0, 2**53, limit)


def follow(bus: Bus, *channels: str) -> Subscription:
    """A subscription to channels that Redis has confirmed."""
    subscription = bus.subscribe()
    for channel in channels:
        subscription.follow(channel)
        wait_for(lambda channel=channel: subscription.read(1) == channel, "the subscription")  # type: ignore[misc]
    return subscription


def frames(subscription: Subscription, count: int) -> list[Frame]:
    """The next `count` frames; that the log's epoch is new is not what is asked for."""
    found: list[Frame] = []
    while len(found) < count:
        frame = subscription.read(5)
        assert frame is not None, f"only {len(found)} of {count} frames came"
        if isinstance(frame, Frame) and frame.channel != keys.EPOCHS:
            found.append(frame)
    return found


def test_everybody_is_given_the_same_bytes(bus: Bus) -> None:
    """Live feed, replay and record would differ, and a client could not put them together."""
    channels = [keys.session_channel("s-1"), f"{keys.CHANNELS}user:u-1", keys.OPERATORS]
    subscription = follow(bus, *channels)
    state = State(Status.PROGRESS, "ünï 📄\n", {"deep": {"n": [1, 2.5, None]}}, {"k": "v"}, "retry", "E", "task-1")
    event_id = bus.append(IDENTITY, state, "key", took_ms=12)
    announced = frames(subscription, 3)
    assert sorted(frame.channel for frame in announced) == sorted(channels)
    (stored,) = kept(bus)
    assert {frame.body for frame in announced} == {stored.wire}
    assert [entry.wire for entry in log_of(bus)] == [stored.wire]
    assert [entry.entry_id for entry in log_of(bus)] == [f"{event_id}-0"]
    event = orjson.loads(stored.wire)
    assert set(FIELDS) <= set(event)
    assert (event["id"], event["seq"], event["processing_time_ms"]) == (event_id, 1, 12)
    assert (event["user_message"], event["event_data"]) == ("ünï 📄\n", {"deep": {"n": [1, 2.5, None]}})
    frame = announced[0]
    assert (frame.id, frame.event_type, frame.category, frame.priority, frame.status) == (
        event_id,
        "custom.thing",
        "workflow",
        "normal",
        "progress",
    )
    subscription.close()


def test_a_repeated_emit_writes_nothing(bus: Bus) -> None:
    """A lost reply and a retry would show a user every sentence twice."""
    first = append(bus, "same")
    assert append(bus, "same") == first
    assert append(bus, "other") > first
    assert [e.seq for e in kept(bus)] == [1, 2]
    assert len(log_of(bus)) == 2


def test_an_emitter_key_is_forgotten_in_time(bus: Bus, raw: redis.Redis) -> None:
    """Redis would fill up with keys that nobody asks for any more."""
    append(bus, "same")
    assert 0 < raw.pttl(keys.once("same")) <= bus.settings.emitter_key_ttl_seconds * 1000


def test_an_event_without_a_session_has_no_number(bus: Bus) -> None:
    """A session's client would see gaps where events of nobody's session were counted."""
    append(bus, "a")
    append(bus, "b", OPERATORS, audience="operator")
    append(bus, "c", dataclasses.replace(OPERATORS, session_id=None))
    append(bus, "d")
    assert [orjson.loads(entry.wire or b"")["seq"] for entry in log_of(bus)] == [1, None, None, 2]


def test_what_is_for_operators_stays_with_them(bus: Bus) -> None:
    """A user would see the machinery's spans among the sentences meant for them."""
    subscription = follow(bus, keys.session_channel("s-1"), f"{keys.CHANNELS}user:u-1", keys.OPERATORS)
    append(bus, "secret", audience="operator")
    append(bus, "open")
    seen = [(f.channel, orjson.loads(f.body)["event_data"]["key"]) for f in frames(subscription, 4)]
    assert [channel for channel, key in seen if key == "secret"] == [keys.OPERATORS]
    assert len(kept(bus)) == 1
    subscription.close()


def test_emitters_side_by_side_leave_no_gap(bus: Bus) -> None:
    """Five parallel emits on one session raised in the original: events of parallel searches were lost."""
    faults: list[Exception] = []

    def emit(worker: int) -> None:
        try:
            for n in range(25):
                append(bus, f"{worker}-{n}")
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=emit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = kept(bus)
    assert (faults, [e.seq for e in found]) == ([], list(range(1, 201)))
    assert [e.id for e in found] == sorted({e.id for e in found})


def test_a_burst_is_kept_whole_beside_a_reader_that_stalls(valkey_bus: Bus) -> None:
    """The original lost 78 % of 3,000 events; a stalled reader froze the emitter."""
    stalled = follow(valkey_bus, keys.session_channel("s-1"))
    ids = [append(valkey_bus, str(n)) for n in range(3_000)]
    assert [entry.entry_id for entry in log_of(valkey_bus)] == [f"{i}-0" for i in ids]
    announced = frames(stalled, 3_000)
    assert [frame.id for frame in announced] == ids
    assert [orjson.loads(frame.body)["seq"] for frame in announced] == list(range(1, 3_001))
    stalled.close()


def test_a_session_stream_is_bounded(bus: Bus, bus_settings: Settings) -> None:
    """One endless session would fill Redis, and the chat would stop for everybody."""
    small = open_bus(dataclasses.replace(bus_settings, session_stream_limit_events=20))
    for n in range(400):
        append(small, str(n))
    left = kept(small)
    # Redis drops whole nodes of a stream, of 100 entries.
    assert 20 <= len(left) <= 120
    assert left[-1].seq == 400
    assert len(log_of(small)) == 400
    small.close_connections()


def test_numbering_outlives_the_stream(bus: Bus, raw: redis.Redis) -> None:
    """A client that comes back the next day would take old numbers for new ones."""
    append(bus, "a")
    raw.delete(keys.session_stream("s-1"))
    append(bus, "b")
    assert [e.seq for e in kept(bus)] == [2]
    assert raw.pttl(keys.sequence("s-1")) > raw.pttl(keys.session_stream("s-1"))


@pytest.mark.parametrize("earlier", [0, 1, 5])
def test_a_stream_that_is_made_again_expires_too(bus: Bus, raw: redis.Redis, earlier: int) -> None:
    """Sessions whose users come back after an hour would stay in Redis for ever."""
    for n in range(earlier):
        append(bus, str(n))
    raw.delete(keys.session_stream("s-1"))
    append(bus, "back")
    assert raw.pttl(keys.session_stream("s-1")) > 0


def test_each_event_keeps_its_session_for_longer(bus: Bus, raw: redis.Redis) -> None:
    """A replay would lose events that are seconds old, and numbers would begin again at 1."""
    append(bus, "a")
    raw.pexpire(keys.session_stream("s-1"), 5_000)
    raw.pexpire(keys.sequence("s-1"), 5_000)
    append(bus, "b")
    assert raw.pttl(keys.session_stream("s-1")) > 5_000
    assert raw.pttl(keys.sequence("s-1")) > 5_000


def test_pages_of_a_session(bus: Bus) -> None:
    """A client that reads page by page would skip events, as the first seed's pollers did."""
    ids = [append(bus, str(n)) for n in range(7)]

    def ids_of(events: list[Event]) -> list[int]:
        return [event.id for event in events]

    assert ids_of(bus.session_events("s-1", 0, NEWEST, 3)) == ids[:3]
    assert ids_of(bus.session_events("s-1", ids[2], NEWEST, 3)) == ids[3:6]
    assert ids_of(bus.session_events("s-1", ids[5], NEWEST, 3)) == ids[6:]
    assert bus.session_events("s-1", ids[6], NEWEST, 3) == []
    assert ids_of(bus.session_events("s-1", ids[1], ids[4], 10)) == ids[2:5]
    assert bus.session_events("s-2", 0, NEWEST, 3) == []


def test_a_forgotten_session_leaves_nothing_to_replay(bus: Bus) -> None:
    """A user who deletes a session would still be shown its events."""
    append(bus, "a")
    bus.forget_session("s-1", ["m-1"])
    assert kept(bus) == []
    append(bus, "b")
    assert [e.seq for e in kept(bus)] == [2]


def test_scripts_come_back_after_redis_forgot_them(bus: Bus, raw: redis.Redis) -> None:
    """After a failover, nothing could be said until every process was started again."""
    append(bus, "a")
    raw.script_flush()
    append(bus, "b")
    assert [e.seq for e in kept(bus)] == [1, 2]

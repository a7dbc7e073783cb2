"""The log's clock: ids that only rise, timestamps that are the id as a date, the epoch."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipeline.bus
from pipeline.bus import Bus, keys
from pipeline.event import Category, Identity, Priority, State, Status
from tests.pipeline.driven import kept

NEW_YEAR_2020 = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
PRELUDE = (Path(pipeline.bus.__file__).parent / "prelude.lua").read_text(encoding="utf-8")
_counter = itertools.count()


def append(bus: Bus, session_id: str | None = "s-1") -> int:
    """Appends an event that no other is a repeat of."""
    identity = Identity("custom.tick", Category.WORKFLOW, Priority.NORMAL, session_id)
    return bus.append(identity, State(Status.PROGRESS), f"tick-{next(_counter)}")


def as_date(event_id: int) -> str:
    """The id as a date, by Python's calendar."""
    moment = NEW_YEAR_2020 + datetime.timedelta(microseconds=event_id)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def id_of(moment: str) -> int:
    """The id of a moment in UTC."""
    date = datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.UTC)
    return (date - NEW_YEAR_2020) // datetime.timedelta(microseconds=1)


def test_an_id_is_the_moment_of_the_event(bus: Bus) -> None:
    """A user would read a wrong time beside every sentence."""
    before = datetime.datetime.now(datetime.UTC)
    event_id = append(bus)
    after = datetime.datetime.now(datetime.UTC)
    assert as_date(event_id) == kept(bus)[0].wire.split(b'"timestamp":"')[1][:27].decode()
    slack = datetime.timedelta(milliseconds=1)
    assert before - slack <= NEW_YEAR_2020 + datetime.timedelta(microseconds=event_id) <= after + slack


def test_ids_rise_while_the_clock_is_behind(bus: Bus, raw: redis.Redis) -> None:
    """After a clock was set back, a client that resumes by id would miss all that came since."""
    ahead = id_of("2090-01-01")
    raw.hset(keys.CLOCK, mapping={"last": ahead, "epoch": "1"})
    assert [append(bus) for _ in range(3)] == [ahead + 1, ahead + 2, ahead + 3]
    assert bus.clock()[1] == ahead + 3


@pytest.mark.parametrize("lost", [("last", "epoch"), ("last",), ("epoch",)])
def test_ids_rise_when_the_clock_is_lost_but_the_log_lives(bus: Bus, raw: redis.Redis, lost: tuple[str, ...]) -> None:
    """Every later event would be refused by the log: the chat would stop for good."""
    ahead = id_of("2090-01-01")
    raw.hset(keys.CLOCK, mapping={"last": ahead, "epoch": "1"})
    newest = append(bus)
    raw.hdel(keys.CLOCK, *lost)
    assert bus.clock()[1] == newest
    assert append(bus) == newest + 1
    assert append(bus) == newest + 2
    assert [e.id for e in kept(bus)] == [newest, newest + 1, newest + 2]


def test_ids_rise_when_the_clock_is_lost_and_the_log_was_trimmed_empty(bus: Bus, raw: redis.Redis) -> None:
    """Once all events are recorded, a lost clock would let ids go back and clients wait for ever."""
    raw.hset(keys.CLOCK, mapping={"last": id_of("2090-01-01"), "epoch": "1"})
    newest = append(bus)
    raw.xtrim(keys.LOG, maxlen=0, approximate=False)
    raw.delete(keys.CLOCK)
    assert append(bus) > newest


def test_timestamps_through_the_calendar(bus: Bus, raw: redis.Redis) -> None:
    """On a leap day, and on the 29th of February that 2100 does not have, times would be a day off."""
    moments = [
        id_of("2028-02-28T23:59:59.999999"),
        id_of("2028-02-29T12:30:01"),
        id_of("2028-02-29T23:59:59.999999"),
        id_of("2096-12-31T23:59:59.999999"),
        id_of("2100-02-28T23:59:59.999999"),
        id_of("2104-02-29"),
        id_of("2199-12-31T23:59:59.999999"),
        2**53 - 3,
    ]
    expected = []
    for moment in moments:
        raw.hset(keys.CLOCK, mapping={"last": moment - 1, "epoch": "1"})
        assert (append(bus), append(bus)) == (moment, moment + 1)
        expected += [as_date(moment), as_date(moment + 1)]
    wires = [event.wire for event in kept(bus)]
    assert [wire.split(b'"timestamp":"')[1][:27].decode() for wire in wires] == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 2**53 - 1), min_size=1, max_size=150))
def test_any_id_is_the_date_that_python_says(raw: redis.Redis, ids: list[int]) -> None:
    """`since` and `after` would disagree: polling by time would skip or repeat events."""
    script = PRELUDE + "\nlocal r = {} for i = 1, #ARGV do r[i] = timestamp_of(tonumber(ARGV[i])) end return r"
    assert [text.decode() for text in raw.eval(script, 1, keys.CLOCK, *ids)] == [as_date(i) for i in ids]


def test_the_epoch_tells_when_the_log_was_lost(bus: Bus, raw: redis.Redis) -> None:
    """After Redis lost its data, a client would wait for ever for ids above the old ones."""
    epoch, newest = bus.clock()
    assert newest == 0
    newest = append(bus)
    append(bus, session_id=None)
    assert bus.clock()[0] == epoch
    raw.flushall()
    again, none = bus.clock()
    assert (again != epoch, none) == (True, 0)
    assert append(bus) > newest

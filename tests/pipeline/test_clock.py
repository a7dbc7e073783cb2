"""The log's clock: ids that only rise, timestamps that are the id as a date, the epoch."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipeline.bus
from pipeline.bus import Bus, QueueIs, keys
from pipeline.errors import FenceLost
from pipeline.event import Category, Identity, Priority, State, Status
from tests.parts.missing import missing
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from tests.pipeline.driven import DrivenRun, kept

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
    epoch, begun = bus.clock()
    newest = append(bus)
    assert 0 < newest - begun < 60_000_000
    append(bus, session_id=None)
    assert bus.clock()[0] == epoch
    raw.flushall()
    again, begun = bus.clock()
    # Whoever reads up to the newest id still reads all that was stored before.
    assert (again != epoch, begun > newest) == (True, True)
    assert append(bus) > begun


HOUR_US = 3_600_000_000
BROKEN = State(Status.PROGRESS, "again", {"retry": True}, reason="worker_lost", error_type="LeaseExpired")


def resume(run: DrivenRun, stage: str = "receive") -> str:
    """Looks after the run."""
    return run.bus.resume(*run.ids, stage, BROKEN, f"q:{stage}", b"again", QueueIs.HERE)


def wait_left_us(bus: Bus, raw: redis.Redis, run: DrivenRun) -> float:
    """How long the run is left alone from now."""
    score = raw.zscore(keys.DUE, run.message_id)
    assert score is not None
    seconds, micros = raw.time()
    return float(score) - ((seconds - 1_577_836_800) * 1_000_000 + micros)


def test_a_lost_worker_is_found_though_the_clock_was_set_back(bus: Bus, raw: redis.Redis) -> None:
    """Without this an answer whose worker died would wait for as long as the clock was set back."""
    run = DrivenRun(bus)
    run.submit()
    run.begin("receive", "R")
    raw.zincrby(keys.DUE, HOUR_US, run.message_id)
    assert bus.due(10) == [run.message_id]
    # Its worker may live: it is given a lease's time to say so.
    assert resume(run) == "early"
    assert 0 < wait_left_us(bus, raw, run) <= bus.settings.lease_seconds * 1e6
    assert bus.due(10) == []
    raw.zadd(keys.DUE, {run.message_id: 0})
    assert resume(run) == "resumed"
    assert run.transcript() == "R[ R~"


def test_a_wait_that_was_given_is_not_taken_for_a_clock_that_was_set_back(bus: Bus, raw: redis.Redis) -> None:
    """Without this every retry that waits would be looked after all the time."""
    run = DrivenRun(bus)
    run.submit()
    run.begin("receive", "R")
    run.release("receive", wait_ms=int(bus.settings.retry_backoff_limit_seconds * 1000))
    before = wait_left_us(bus, raw, run)
    assert bus.due(10) == []
    assert resume(run) == "early"
    assert wait_left_us(bus, raw, run) == pytest.approx(before, abs=5e6)


def test_messages_that_wait_are_not_sent_again_after_the_clock_was_set_back(bus: Bus, raw: redis.Redis) -> None:
    """Without this every question that waits would look overtaken, be sent five times and be given up."""
    runs = [DrivenRun(bus) for _ in range(3)]
    for run in runs:
        run.submit()
    raw.rpop("q:receive")
    runs[0].begin("receive", "R")
    raw.hincrbyfloat(keys.BEGUN, "receive", HOUR_US)
    for run in runs[1:]:
        raw.zadd(keys.DUE, {run.message_id: 0})
        assert resume(run) == "waits"
    assert raw.llen("q:receive") == 2


def test_a_lost_message_is_found_though_it_was_queued_in_the_old_future(bus: Bus, raw: redis.Redis) -> None:
    """Without this a question whose message was lost would wait until the clock is where it was."""
    lost, later = DrivenRun(bus), DrivenRun(bus)
    lost.submit()
    raw.hincrbyfloat(keys.run(lost.message_id), "q", HOUR_US)
    raw.zincrby(keys.DUE, HOUR_US, lost.message_id)
    assert resume(lost) == "early"
    later.submit()
    later.begin("receive", "R")
    words = []
    for _ in range(2):
        raw.zadd(keys.DUE, {lost.message_id: 0})
        words.append(resume(lost))
    assert words == ["waits", "sent"]


@pytest.fixture
def faked(valkey: RedisPart, tmp_path: Path) -> Iterator[Path]:
    """The file that sets the clock of `valkey`; Debian's redis-server does not start with a clock that is set."""
    library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
    if library is None:
        missing("libfaketime")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    valkey.stop()
    valkey.environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    valkey.start()
    yield offset
    valkey.environment = {}


@pytest.mark.parametrize("jump", ["-3600", "+1800"])
def test_a_clock_that_jumps_changes_nothing_for_a_run(
    valkey_bus: Bus, valkey_raw: redis.Redis, faked: Path, jump: str
) -> None:
    """Without this a mended clock would lose an answer, end a stage twice or let ids go back."""
    bus, raw = valkey_bus, valkey_raw
    run, lost = DrivenRun(bus), DrivenRun(bus)
    run.submit()
    lost.submit(queue="q:lost")
    run.begin("receive", "R")
    lost.begin("receive", "R")
    before = append(bus)
    faked.write_text(jump)
    wait_for(lambda: abs(raw.time()[0] - datetime.datetime.now(datetime.UTC).timestamp()) > 1_500, "the jump")
    assert append(bus) > before
    assert bus.renew(run.message_id, run.token)
    assert bus.due(10) == [lost.message_id]
    if jump == "-3600":
        assert resume(lost) == "early"
        raw.zadd(keys.DUE, {lost.message_id: 0})
    assert resume(lost) == "resumed"
    with pytest.raises(FenceLost):
        lost.end("receive", "R")
    run.end("receive", "R", to="think")
    lost.begin("receive", "R")
    lost.end("receive", "R", to="think")
    assert (run.transcript(), lost.transcript()) == ("R[ R]", "R[ R~ R]")
    told = kept(bus)
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    took = [event["processing_time_ms"] for event in (*run.events(), *lost.events()) if event["processing_time_ms"]]
    assert all(value >= 0 for value in took)

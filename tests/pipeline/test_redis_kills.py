"""Redis is killed, or has no memory or no disk left, while events are written: what was acknowledged is kept."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import threading
import time
from collections.abc import Iterator

import orjson
import pytest
import redis

from pipeline.bus import Bus, keys, open_bus
from pipeline.errors import BusUnavailable
from pipeline.event import Category, Identity, Priority, State, Status
from pipeline.settings import Settings
from pipeline.store import Store, dead_letters, events, migrate, open_store
from pipeline.store.moments import id_at
from pipeline.store.recording import record
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from tests.pipeline.driven import NEWEST, kept

KILLS = {"everysec": 15, "always": 4}
"""For each kind of server."""
EMITTERS = 3
_UNWRITTEN_LIMIT_US = 3_000_000
"""The two seconds, and one for a machine that is busy."""
IDENTITY = Identity("custom.thing", Category.WORKFLOW, Priority.HIGH, "s-1")


def say(bus: Bus, key: str, text: str = "") -> int:
    """Writes an event that carries its emitter key."""
    return bus.append(IDENTITY, State(Status.PROGRESS, text, {"key": key}), key)


@pytest.fixture
def sqlite_store(bus_settings: Settings) -> Iterator[Store]:
    """A migrated SQLite database."""
    opened = open_store(bus_settings)
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def patient(bus_settings: Settings) -> Iterator[Bus]:
    """A bus that hears soon that Redis is away."""
    opened = open_bus(dataclasses.replace(bus_settings, emit_deadline_ms=1_000, script_timeout_ms=1_000))
    yield opened
    opened.close_connections()


class Emitter(threading.Thread):
    """Writes one event after the other; what was not acknowledged is said again with its key."""

    def __init__(self, bus: Bus, name: str, stopped: threading.Event) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[int] = []
        self.refused = 0
        self._bus, self._key, self._stopped = bus, name, stopped

    def run(self) -> None:
        """Until it is stopped, and what it has begun is said."""
        for number in itertools.count():
            while True:
                try:
                    self.acknowledged.append(say(self._bus, f"{self._key}/{number}"))
                    break
                except BusUnavailable:
                    self.refused += 1
                    time.sleep(0.01)
            if self._stopped.wait(0.001):
                return


class Recording(threading.Thread):
    """Stores the log as the recorder does, step by step; whatever step fails is done again."""

    def __init__(self, bus: Bus, store: Store, stopped: threading.Event) -> None:
        super().__init__(daemon=True)
        self.epochs: set[str] = set()
        self._bus, self._store, self._stopped = bus, store, stopped

    def run(self) -> None:
        """Until it is stopped."""
        while not self._stopped.wait(0.02):
            try:
                self._step()
            except BusUnavailable:
                continue

    def _step(self) -> None:
        entries = self._bus.log.claim("recorder", 0, 500) or self._bus.log.read_new("recorder", 500, 0)
        self.epochs.add(self._bus.lift(events.newest_id(self._store), None))
        if entries:
            record(self._store, [(entry.entry_id, entry.wire) for entry in entries], lambda _: "")
            self._bus.lift(events.newest_id(self._store), None)
            self._bus.log.acknowledge(entries)
            self._bus.log.trim()


@pytest.mark.parametrize("policy", KILLS)
def test_a_killed_redis_loses_nothing_that_was_acknowledged(
    patient: Bus, raw: redis.Redis, redis_server: RedisPart, sqlite_store: Store, policy: str
) -> None:
    """Without this a crash of Redis would lose events that a worker believes to be written, or write them twice."""
    stopped, stored, killed = threading.Event(), threading.Event(), list[int]()
    emitters = [Emitter(patient, f"emitter{n}", stopped) for n in range(EMITTERS)]
    recording = Recording(patient, sqlite_store, stored)
    for thread in (*emitters, recording):
        thread.start()
    for _ in range(KILLS[policy]):
        raw.config_set("appendfsync", policy)
        said = len(emitters[0].acknowledged)
        wait_for(lambda said=said: len(emitters[0].acknowledged) > said + 10, "events between two kills")
        redis_server.stop(kill=True)
        killed.append(id_at(datetime.datetime.now(datetime.UTC)))
        redis_server.start()
    stopped.set()
    for emitter in emitters:
        emitter.join(20)
    stored.set()
    recording.join(20)

    assert sum(emitter.refused for emitter in emitters) >= KILLS[policy]
    for emitter in emitters:
        assert emitter.acknowledged == sorted(set(emitter.acknowledged))
    wires = {event.id: event.wire for event in events.session_events(sqlite_store, "s-1", 0, 1_000_000)}
    assert wires
    for entry in patient.log.read_log(0, NEWEST, 1_000_000):
        event_id = int(entry.entry_id.partition("-")[0])
        assert wires.setdefault(event_id, entry.wire) == entry.wire
    acknowledged = {event_id for emitter in emitters for event_id in emitter.acknowledged}
    lost = acknowledged - set(wires)
    if policy == "everysec":
        _check_lost_tails(killed, lost, acknowledged - lost)
        if len(recording.epochs) > 1:
            # Such a loss was noticed, since some of what was lost had been stored: everything begins anew.
            return
    else:
        assert not lost, (sorted(lost), sorted(wires)[-3:], min(wires))
    assert len(recording.epochs) == 1
    told = [orjson.loads(wires[event_id]) for event_id in sorted(wires)]
    holes = [event for number, event in enumerate(told, start=1) if event["seq"] != number]
    assert not holes, (holes[0], dead_letters.listed(sqlite_store, 10), recording.epochs)
    assert len({event["event_data"]["key"] for event in told}) == len(told)


def _check_lost_tails(killed: list[int], lost: set[int], kept_ids: set[int]) -> None:
    """What everysec allows: while an fsync lasts, Redis answers for at most two seconds before it writes.

    An fsync lasts when the disk is slow, or no processor is free for it. So a kill may lose the tail of what was
    acknowledged, and nothing before it; mostly it loses nothing.
    """
    kills = {event_id: min(kill for kill in killed if kill >= event_id) for event_id in lost}
    for event_id, kill in kills.items():
        assert kill - event_id < _UNWRITTEN_LIMIT_US, (event_id, kill)
        behind = [other for other in kept_ids if event_id < other < kill]
        assert not behind, (event_id, kill, behind)
    assert len(set(kills.values())) <= len(killed) // 4


def check_whole(bus: Bus, raw: redis.Redis) -> int:
    """No event is half-written: log, session, numbering and clock agree. Gives how many there are."""
    log: list[tuple[bytes, object]] = raw.xrange(keys.LOG)
    session = kept(bus)
    assert [int(entry_id.partition(b"-")[0]) for entry_id, _ in log] == [event.id for event in session]
    assert [event.seq for event in session] == list(range(1, len(session) + 1))
    assert int(raw.get(keys.sequence("s-1")) or 0) == len(session)
    assert bus.clock()[1] == session[-1].id
    return len(session)


def fill(bus: Bus, text: str, limit: int = 5_000) -> list[int]:
    """Writes until Redis refuses. Gives the ids that were acknowledged."""
    said: list[int] = []
    for number in range(limit):
        try:
            said.append(say(bus, f"fill/{number}", text))
        except BusUnavailable:
            return said
    raise AssertionError(f"Redis took {limit} events")


def test_a_redis_without_memory_refuses_whole_events(patient: Bus, raw: redis.Redis) -> None:
    """Without this a full Redis would leave gaps that clients take for a loss, or need an operator's hands."""
    say(patient, "first")
    used = int(raw.info("memory")["used_memory"])
    raw.config_set("maxmemory", used + 300_000)
    said = fill(patient, "x" * 400)
    raw.config_set("maxmemory", 0)
    assert check_whole(patient, raw) == len(said) + 1
    # The event that was refused is said again, with its key.
    again = say(patient, f"fill/{len(said)}")
    assert again > said[-1]
    assert check_whole(patient, raw) == len(said) + 2


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_a_redis_without_disk_keeps_what_it_acknowledged(
    patient: Bus, raw: redis.Redis, redis_server: RedisPart, policy: str
) -> None:
    """Without this a full disk would lose events that were acknowledged, or leave a Redis that does not start."""
    raw.config_set("appendfsync", policy)
    first = say(patient, "first")
    redis_server.limit_files(200_000)
    said = fill(patient, "x" * 400)
    if policy == "always":
        # It would rather end than acknowledge what it could not write.
        wait_for(lambda: not redis_server.running, "Redis's end")
    else:
        # It says so and waits for space.
        redis_server.limit_files(None)
        wait_for(lambda: _takes(patient, "mended"), "Redis's recovery by itself")
    redis_server.stop(kill=True)
    redis_server.start()
    there = {event.id for event in kept(patient)}
    assert there >= {first, *said}
    wait_for(lambda: _takes(patient, "afterwards"), "an event after the restart")
    check_whole(patient, raw)


def _takes(bus: Bus, key: str) -> bool:
    try:
        return say(bus, key) > 0
    except BusUnavailable:
        return False

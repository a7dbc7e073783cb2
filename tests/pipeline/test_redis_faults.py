"""When Redis is away, slow, full or not ready: told in time, waited for where it may be, nothing half-written."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from pipeline.bus import Begun, Bus, keys, open_bus
from pipeline.errors import BusUnavailable, SettingError
from pipeline.event import Category, Identity, Priority, State, Status
from pipeline.settings import Settings
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from tests.pipeline.driven import DrivenRun, kept

IDENTITY = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL, "s-1")


def append(bus: Bus, key: str) -> int:
    """Appends an event."""
    return bus.append(IDENTITY, State(Status.PROGRESS, key), key)


@pytest.fixture
def hasty(bus_settings: Settings) -> Iterator[Bus]:
    """A bus whose deadlines are short."""
    opened = open_bus(
        dataclasses.replace(bus_settings, emit_deadline_ms=100, script_timeout_ms=300, script_deadline_seconds=0.6)
    )
    yield opened
    opened.close_connections()


def test_a_server_that_is_gone_is_told_in_time(hasty: Bus, redis_server: RedisPart) -> None:
    """A stage would hang instead of being tried again."""
    run = DrivenRun(hasty)
    run.submit()
    redis_server.stop(kill=True)
    started = time.monotonic()
    for call in (
        lambda: append(hasty, "a"),
        lambda: run.begin("receive", "R"),
        hasty.ping,
        hasty.clock,
        hasty.subscribe,
    ):
        with pytest.raises(BusUnavailable):
            call()
    assert time.monotonic() - started < 10


def test_a_server_that_hangs_is_told_in_time(hasty: Bus, redis_server: RedisPart) -> None:
    """Progress would hold the work up for as long as Redis hangs."""
    append(hasty, "a")
    redis_server.signal(signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(BusUnavailable):
        append(hasty, "b")
    took = time.monotonic() - started
    redis_server.signal(signal.SIGCONT)
    assert took < 2
    wait_for(lambda: append(hasty, "c") > 0, "an event after the pause")
    assert kept(hasty)[0].seq == 1


def test_a_beginning_waits_for_redis_to_come_back(bus: Bus, redis_server: RedisPart) -> None:
    """A restart of Redis would lose beginnings and endings of stages."""
    run = DrivenRun(bus)
    run.submit()
    bus.ping()
    redis_server.stop()
    got: list[Begun] = []
    worker = threading.Thread(target=lambda: got.append(run.begin("receive", "R")))
    worker.start()
    redis_server.start()
    worker.join(20)
    assert [begun.tries for begun in got] == [1]
    run.end("receive", "R", to="think")
    assert run.transcript() == "R[ R]"


def _full(client: redis.Redis) -> None:
    client.config_set("maxmemory", "1mb")


def _replica(client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", "1")


def _back(client: redis.Redis) -> None:
    client.config_set("maxmemory", "0")
    client.replicaof("NO", "ONE")


@pytest.mark.parametrize("trouble", [_full, _replica])
def test_a_refusal_that_passes_is_waited_for(
    hasty: Bus, bus: Bus, raw: redis.Redis, trouble: Callable[[redis.Redis], None]
) -> None:
    """While Redis is full or fails over, stages would fail for good instead of waiting."""
    run = DrivenRun(hasty)
    run.submit()
    raw.set("ballast", b"x" * 2_000_000)
    trouble(raw)
    with pytest.raises(BusUnavailable):
        append(hasty, "a")
    with pytest.raises(BusUnavailable):
        run.begin("receive", "R")
    run.bus = bus
    waiting = threading.Thread(target=lambda: run.begin("receive", "R"))
    waiting.start()
    _back(raw)
    waiting.join(20)
    assert run.transcript() == "R["
    assert append(bus, "a") > 0


def test_a_script_of_somebody_else_that_blocks_redis_is_waited_out(bus: Bus, hasty: Bus, raw: redis.Redis) -> None:
    """One slow script would fail every stage that begins meanwhile."""
    run = DrivenRun(bus)
    run.submit()
    raw.config_set("lua-time-limit", "10")

    def block() -> None:
        other = redis.Redis(connection_pool=raw.connection_pool)
        with contextlib.suppress(redis.exceptions.RedisError):
            other.eval("while true do end", 0)

    blocker = threading.Thread(target=block)
    blocker.start()

    def blocked() -> bool:
        try:
            hasty.ping()
        except BusUnavailable:
            return True
        return False

    wait_for(blocked, "the block")
    waiting = threading.Thread(target=lambda: run.begin("receive", "R"))
    waiting.start()
    with pytest.raises(BusUnavailable):
        append(hasty, "a")
    raw.script_kill()
    for thread in (blocker, waiting):
        thread.join(20)
    assert run.transcript() == "R["


def test_what_was_said_survives_a_killed_server(bus: Bus, raw: redis.Redis, redis_server: RedisPart) -> None:
    """After a power cut, a conversation's events would begin again at 1."""
    raw.config_set("appendfsync", "always")
    append(bus, "a")
    epoch, newest = bus.clock()
    redis_server.stop(kill=True)
    redis_server.start()
    assert bus.clock() == (epoch, newest)
    append(bus, "b")
    assert [e.seq for e in kept(bus)] == [1, 2]


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:6379", "redis//nothing", "127.0.0.1:6379"])
def test_an_address_that_is_none_is_one_clear_sentence(bus_settings: Settings, url: str) -> None:
    """A typing error in REDIS_URL would be a page of traceback."""
    with pytest.raises(SettingError, match="REDIS_URL"):
        open_bus(dataclasses.replace(bus_settings, redis_url=url))


_FORK = """
import os, sys
from pipeline import settings
from pipeline.bus import open_bus
from pipeline.event import Category, Identity, Priority, State, Status
bus = open_bus(settings.load({"REDIS_URL": sys.argv[1], "SPANFEED_EMIT_DEADLINE_MS": "5000"}))
def say(name):
    for n in range(50):
        identity = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL, "s-1")
        bus.append(identity, State(Status.PROGRESS, name), f"{name}-{n}")
        assert bus.session_events("s-1", 0, 2**53, 1)[0].seq == 1
say("before")
children = []
for n in range(3):
    child = os.fork()
    if child == 0:
        say(f"child{n}")
        os._exit(0)
    children.append(child)
say("parent")
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
bus.close_connections()
"""


def test_a_forked_worker_has_connections_of_its_own(valkey_bus: Bus) -> None:
    """Two children of a worker would read each other's replies."""
    command = [sys.executable, "-c", _FORK, valkey_bus.settings.redis_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert [e.seq for e in kept(valkey_bus)] == list(range(1, 251))


def test_a_script_that_fails_leaves_no_number_behind(bus: Bus, raw: redis.Redis) -> None:
    """A refused event would leave a gap that clients take for a loss."""
    append(bus, "a")
    raw.config_set("maxmemory", "1mb")
    raw.config_set("maxmemory", "0")
    append(bus, "b")
    assert [e.seq for e in kept(bus)] == [1, 2]
    assert raw.exists(keys.CLOCK)

"""The ways to tell an event that `benchmarks.emit` compares, and what each costs."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
import uuid
from collections.abc import Callable

import redis

from benchmarks.bulk_append import BulkAppend
from pipeline.bus import Bus
from pipeline.bus.keys import session_channel
from pipeline.errors import BusUnavailable
from pipeline.event import Category, Identity, Priority, State, Status

BULK = 100
"""Events in one pipeline."""
Append = Callable[[Identity, State, str], object]
Tell = Callable[[int], None]
_IDENTITY = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL, "s-1", message_id="m-1")
_HEAD = b"%d custom.thing workflow normal completed\n"


def _state() -> State:
    return State(Status.COMPLETED, "A step.", {"note": "x" * 200})


def appending(append: Append) -> Tell:
    """By `Bus.append` or `Emitter.append`, one by one; what Redis does not take is passed over."""
    run, numbers = uuid.uuid4().hex, itertools.count()

    def tell(count: int) -> None:
        state = _state()
        for _ in range(count):
            with contextlib.suppress(BusUnavailable):
                append(_IDENTITY, state, f"{run}:{next(numbers)}")

    return tell


def publishing(bus: Bus, client: redis.Redis) -> Tell:
    """A bare PUBLISH of the bytes that the append script announces."""
    channel, text = _announced(bus)

    def tell(count: int) -> None:
        for _ in range(count):
            client.publish(channel, text)

    return tell


def appending_in_bulk(bus: BulkAppend) -> Tell:
    """The calls of `Bus.append` in pipelines."""
    run, numbers = uuid.uuid4().hex, itertools.count()

    def tell(count: int) -> None:
        state = _state()
        for first in range(0, count, BULK):
            for _ in range(first, min(first + BULK, count)):
                bus.append(_IDENTITY, state, f"{run}:{next(numbers)}")
            bus.send()

    return tell


def publishing_in_bulk(bus: Bus, client: redis.Redis) -> Tell:
    """The same PUBLISH in pipelines."""
    channel, text = _announced(bus)

    def tell(count: int) -> None:
        for first in range(0, count, BULK):
            pipe = client.pipeline(transaction=False)
            for _ in range(first, min(first + BULK, count)):
                pipe.publish(channel, text)
            pipe.execute()

    return tell


def _announced(bus: Bus) -> tuple[str, bytes]:
    event_id = bus.append(_IDENTITY, _state(), uuid.uuid4().hex)
    wire = bus.session_events("s-1", event_id - 1, event_id, 1)[0].wire
    return session_channel("s-1"), _HEAD % event_id + wire


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one event cost, in µs: time, and CPU of the emitting process and of Redis together."""

    time_us: float
    cpu_us: float


def cost_of(tell: Tell, count: int, watcher: redis.Redis | None = None) -> Cost:
    """Tells so many events; `watcher` asks Redis for its CPU time, None where Redis is not there."""
    cpu = time.process_time() + _redis_seconds(watcher)
    began = time.perf_counter()
    tell(count)
    took = time.perf_counter() - began
    cpu = time.process_time() + _redis_seconds(watcher) - cpu
    return Cost(took / count * 1e6, cpu / count * 1e6)


def _redis_seconds(watcher: redis.Redis | None) -> float:
    if watcher is None:
        return 0.0
    used = watcher.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])

"""What one emit costs its stage: with Redis there beside the bare bus, and with Redis gone beside the bare bus.

`python -m benchmarks.emit_cost [--emits 500] [--pairs 12] [--server valkey|redis] [--json]`
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.pairs import Comparison, Goal, compare
from benchmarks.report import show
from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from pipeline.emitter import Emitter
from pipeline.errors import BusUnavailable
from pipeline.event import Category, Identity, Priority, State, Status
from tests.parts.redis_part import SERVERS, RedisPart
from tests.parts.waiting import wait_for

PEER = "the bare bus (Bus.append)"
_IDENTITY = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL, "s-1", message_id="m-1")
_SLOW_EMITS = 20
"""Each waits for its deadline, or for a refused connection."""


def append_all(append: Callable[[Identity, State, str], object], name: str, count: int) -> float:
    """Appends `count` events one after the other; microseconds for each."""
    state = State(Status.COMPLETED, "A step.", {"note": "x" * 200})
    began = time.perf_counter()
    for number in range(count):
        with contextlib.suppress(BusUnavailable):
            append(_IDENTITY, state, f"{name}:{number}")
    return (time.perf_counter() - began) / count * 1e6


def with_redis(bus: Bus, emitter: Emitter, emits: int, pairs: int) -> list[tuple[float, float]]:
    """Both by turns, after one of each to warm up."""
    found = []
    for number in range(pairs + 1):
        sides = [("emitter", emitter.append), ("bus", bus.append)]
        took = {}
        for name, append in sides[:: 1 if number % 2 else -1]:
            took[name] = append_all(append, f"{name}:{number}", emits)
        found.append((took["emitter"], took["bus"]))
    return found[1:]


def without_redis(bus: Bus, emitter: Emitter, emits: int, pairs: int) -> list[tuple[float, float]]:
    """Both by turns; the emitter's breaker is open from the first event that could not be sent."""
    append_all(emitter.append, "first", 1)
    return [
        (append_all(emitter.append, f"gone:{n}", emits), append_all(bus.append, f"gone:{n}", _SLOW_EMITS))
        for n in range(pairs)
    ]


def measure(server: RedisPart, home: str, emits: int, pairs: int) -> list[Comparison]:
    """With Redis there; killed, where a connection is refused at once; frozen, where nothing answers."""
    environment = {"REDIS_URL": server.url, "SPANFEED_HOME": home}
    # An answer that a busy machine gives late must not put the emitter into the spool.
    patient = open_bus(settings_table.load({**environment, "SPANFEED_EMIT_DEADLINE_MS": "5000"}))
    there = with_redis(patient, Emitter(patient), emits, pairs)
    bus = open_bus(settings_table.load(environment))
    emitter = Emitter(bus)
    server.stop(kill=True)
    killed = without_redis(bus, emitter, emits, pairs)
    server.start()
    wait_for(lambda: not emitter.pending, "the sending of the spool", 60)
    server.signal(signal.SIGSTOP)
    frozen = without_redis(bus, emitter, emits, pairs)
    server.signal(signal.SIGCONT)
    wait_for(lambda: not emitter.pending, "the sending of the spool", 60)
    emitter.close()
    return [
        compare("one emit, Redis there", "µs", PEER, there, Goal("<=", 1.1)),
        compare("one emit, Redis killed", "µs", PEER, killed, Goal("<=", 200, ours=True)),
        compare("one emit, Redis frozen", "µs", PEER, frozen, Goal("<=", 200, ours=True)),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--emits", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--server", choices=SERVERS, default="valkey")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder:
        server = RedisPart(Path(folder) / "redis", asked.server)
        try:
            found = measure(server, folder, asked.emits, asked.pairs)
        finally:
            server.stop(kill=True)
    show(found, asked.json)


if __name__ == "__main__":
    main()

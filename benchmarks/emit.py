"""What one event costs who emits it: the stage's emitter beside the bare bus and beside a bare redis-py PUBLISH.

`python -m benchmarks.emit [--emits 500] [--pairs 12] [--server valkey|redis] [--json]`

An emit numbers, stores and announces the event, and lets it pass once only; PUBLISH announces it and nothing else. Both
tell the same bytes. *In bulk* are 100 in a pipeline: the bus has no call for that yet, so the benchmark gathers the
calls that `Bus.append` makes. CPU is that of the emitting process and Redis. With Redis killed a connection is refused
at once; frozen, nothing answers.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import redis

from benchmarks.bulk_append import BulkAppend
from benchmarks.emit_sides import (
    BULK,
    Cost,
    Tell,
    appending,
    appending_in_bulk,
    cost_of,
    publishing,
    publishing_in_bulk,
)
from benchmarks.pairs import Comparison, Goal, Pair, compare
from benchmarks.report import show
from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from pipeline.emitter import Emitter
from tests.parts.redis_part import SERVERS, RedisPart
from tests.parts.waiting import wait_for

BARE_BUS = "the bare bus (Bus.append)"
PUBLISH = "redis-py PUBLISH of the same bytes"
PIPELINE = f"redis-py PUBLISH, {BULK} in a pipeline"
_SLOW_EMITS = 20
"""Each waits for its deadline, or for a refused connection."""


def by_turns(sides: Mapping[str, Tell], emits: int, pairs: int, watcher: redis.Redis) -> dict[str, list[Cost]]:
    """All by turns, in an order that changes, after one turn of each to warm up."""
    found: dict[str, list[Cost]] = {name: [] for name in sides}
    for number in range(pairs + 1):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            found[name].append(cost_of(sides[name], emits, watcher))
    return {name: costs[1:] for name, costs in found.items()}


def without_redis(bus: Bus, emitter: Emitter, emits: int, pairs: int) -> list[Pair]:
    """Both by turns; the emitter's breaker is open from the first event that could not be sent."""
    spooled, refused = appending(emitter.append), appending(bus.append)
    spooled(1)
    return [(cost_of(spooled, emits).time_us, cost_of(refused, _SLOW_EMITS).time_us) for _ in range(pairs)]


def with_redis(server: RedisPart, home: str, emits: int, pairs: int) -> list[Comparison]:
    """One by one and in bulk."""
    # An answer that a busy machine gives late must not put the emitter into the spool.
    environment = {"REDIS_URL": server.url, "SPANFEED_HOME": home, "SPANFEED_EMIT_DEADLINE_MS": "5000"}
    settings = settings_table.load(environment)
    bus, client, watcher = open_bus(settings), server.client(), server.client()
    sides = {
        "emitter": appending(Emitter(bus).append),
        "bus": appending(bus.append),
        "publish": publishing(bus, client),
        "emitter in bulk": appending_in_bulk(BulkAppend(settings)),
        "publish in bulk": publishing_in_bulk(bus, client),
    }
    found = by_turns(sides, emits, pairs, watcher)
    times = {name: [cost.time_us for cost in costs] for name, costs in found.items()}
    cpu = {name: [cost.cpu_us for cost in costs] for name, costs in found.items()}

    def pairs_of(figures: Mapping[str, Sequence[float]], peer: str, own: str = "emitter") -> list[Pair]:
        return list(zip(figures[own], figures[peer], strict=True))

    bulk = ("publish in bulk", "emitter in bulk")
    return [
        compare("one emit", "µs", PUBLISH, pairs_of(times, "publish"), Goal("<=", 1.25)),
        compare("one emit", "µs CPU", PUBLISH, pairs_of(cpu, "publish")),
        compare("emits in bulk", "µs", PIPELINE, pairs_of(times, *bulk), Goal("<=", 1)),
        compare("emits in bulk", "µs CPU", PIPELINE, pairs_of(cpu, *bulk)),
        compare("one emit, Redis there", "µs", BARE_BUS, pairs_of(times, "bus"), Goal("<=", 1.1)),
    ]


def measure(server: RedisPart, home: str, emits: int, pairs: int) -> list[Comparison]:
    """With Redis there; killed; frozen."""
    found = with_redis(server, home, emits, pairs)
    bus = open_bus(settings_table.load({"REDIS_URL": server.url, "SPANFEED_HOME": home}))
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
        *found,
        compare("one emit, Redis killed", "µs", BARE_BUS, killed, Goal("<=", 200, ours=True)),
        compare("one emit, Redis frozen", "µs", BARE_BUS, frozen, Goal("<=", 200, ours=True)),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emits", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--server", choices=SERVERS, default="valkey")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder:
        server = RedisPart(Path(folder) / "redis", asked.server, in_memory=False)
        try:
            found = measure(server, folder, asked.emits, asked.pairs)
        finally:
            server.stop(kill=True)
    show(found, asked.json)


if __name__ == "__main__":
    main()

"""The recorder: from the stream into the database, against a commit an event and against bare COPY or executemany.

`python -m benchmarks.recorder [--events 20000] [--pairs 8] [--database postgresql|sqlite] [--recorders N] [--backlog N]
[--json]`
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.pairs import Comparison, Goal, compare
from benchmarks.processes import LineProcess
from benchmarks.recorder_sides import wire
from benchmarks.report import show
from pipeline import settings as settings_table
from pipeline.bus import keys
from pipeline.store import migrate, open_store
from pipeline.store.moments import id_at
from tests.parts.postgres_part import PostgresPart
from tests.parts.redis_part import SERVERS, RedisPart

SEED = "one ORM insert and commit an event (the first seed's way)"
BARE = {
    "postgresql": "bare COPY of rows that lie ready",
    "sqlite": "bare executemany of rows that lie ready",
}
_SEED_SHARE = 40
"""The seed's way is given one event for so many of ours: it needs as long."""
_FILL_EVENTS = 1_000
_SPARE_EVENTS = 50_000
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclasses.dataclass(frozen=True)
class Took:
    """What one run took."""

    seconds: float
    cpu_seconds: float
    peak_mebibytes: float


class Side:
    """A side's processes, which share the work: as many as there are, they need the time of the slowest."""

    def __init__(self, side: str, count: int, environment: Mapping[str, str], processes: int = 1) -> None:
        command = [sys.executable, "-m", "benchmarks.recorder_sides", side, str(count)]
        self._processes = [LineProcess(command, environment) for _ in range(processes)]
        for process in self._processes:
            process.heard()

    def run(self, first: int) -> Took:
        """One run, over the events from number `first` on."""
        for process in self._processes:
            process.tell(str(first))
        took = [Took(**json.loads(process.heard())) for process in self._processes]
        return Took(
            max(one.seconds for one in took),
            sum(one.cpu_seconds for one in took),
            sum(one.peak_mebibytes for one in took),
        )

    def stop(self) -> None:
        """Ends them."""
        for process in self._processes:
            process.close()


class Place:
    """A Redis, and a database for each side; ids that no run has used."""

    def __init__(self, server: RedisPart, home: Path, postgres: PostgresPart | None) -> None:
        self.server = server
        self._home = home
        self._postgres = postgres
        self.first = id_at(datetime.datetime.now(datetime.UTC))

    def environment(self, side: str) -> dict[str, str]:
        """The settings of a side's process, on a database of its own."""
        home = self._home / side
        home.mkdir()
        url = "" if self._postgres is None else self._postgres.new_database()
        environment = {"REDIS_URL": self.server.url, "DATABASE_URL": url, "SPANFEED_HOME": str(home)}
        environment |= {"OTEL_TRACES_EXPORTER": "none", "SPANFEED_SCRIPT_TIMEOUT_MS": "30000"}
        store = open_store(settings_table.load(environment))
        migrate.upgrade(store)
        store.close()
        return environment

    def take(self, count: int) -> int:
        """The first of `count` new ids."""
        first, self.first = self.first, self.first + count
        return first

    def fill(self, first: int, count: int) -> None:
        """Writes events into the log; what was recorded is taken out of it first, as the recorder would in time."""
        client = self.server.client()
        client.xtrim(keys.LOG, minid=f"{first}-0", approximate=False)
        for at in range(first, first + count, _FILL_EVENTS):
            with client.pipeline(transaction=False) as pipeline:
                for event_id in range(at, min(at + _FILL_EVENTS, first + count)):
                    pipeline.xadd(keys.LOG, {"e": wire(event_id)}, id=f"{event_id}-0")
                pipeline.execute()
        client.close()


@contextlib.contextmanager
def place(database: str, server: str) -> Iterator[Place]:
    """The servers."""
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder:
        redis = RedisPart(Path(folder) / "redis", server, in_memory=False)
        # A rewrite of the append-only file would fall on one side by chance.
        redis.client().config_set("auto-aof-rewrite-percentage", 0)
        postgres = PostgresPart(**_DURABLE) if database == "postgresql" else None
        try:
            yield Place(redis, Path(folder), postgres)
        finally:
            redis.stop()
            if postgres is not None:
                postgres.stop()


def measure(at: Place, database: str, count: int, pairs: int, recorders: int) -> list[Comparison]:
    """Ours and both peers by turns, after one run of each to warm up."""
    counts = {"ours": count, "bare": count, "seed": max(1, count // _SEED_SHARE)}
    sides = {name: Side(name, many, at.environment(name)) for name, many in counts.items() if name != "ours"}
    side = "ours" if recorders == 1 else "beside"
    sides["ours"] = Side(side, count, at.environment("ours"), recorders)
    found: list[dict[str, Took]] = []
    try:
        for number in range(pairs + 1):
            took: dict[str, Took] = {}
            for name in list(sides)[:: 1 if number % 2 else -1]:
                first = at.take(counts[name])
                if name == "ours":
                    at.fill(first, count)
                took[name] = sides[name].run(first)
            found.append(took)
    finally:
        for side in sides.values():
            side.stop()

    def speed(peer: str) -> list[tuple[float, float]]:
        return [(count / t["ours"].seconds, counts[peer] / t[peer].seconds) for t in found[1:]]

    def cpu(peer: str) -> list[tuple[float, float]]:
        return [(t["ours"].cpu_seconds / count * 1e6, t[peer].cpu_seconds / counts[peer] * 1e6) for t in found[1:]]

    bare, goal = BARE[database], Goal(">=", 0.6) if database == "postgresql" else None
    by = f"{database}: recorded" if recorders == 1 else f"{database}: recorded by {recorders}"
    return [
        compare(by, "events/s", SEED, speed("seed"), Goal(">=", 50)),
        compare(f"{database}: recorder's CPU", "µs/event", SEED, cpu("seed")),
        compare(f"{by}, beside bare", "events/s", bare, speed("bare"), goal),
        compare(f"{database}: recorder's CPU, beside bare", "µs/event", bare, cpu("bare")),
    ]


def drain(at: Place, database: str, backlog: int) -> list[Comparison]:
    """A backlog is recorded in ten parts; the peak of memory after the first and after the last."""
    part = backlog // 10
    side = Side("ours", part, at.environment("ours"))
    try:
        # Each part ends with a whole batch and leaves a read one behind: the last must find enough.
        filled = part * 10 + _SPARE_EVENTS
        at.fill(at.take(filled), filled)
        took = [side.run(0) for _ in range(10)]
    finally:
        side.stop()
    memory = [(took[-1].peak_mebibytes, took[0].peak_mebibytes)]
    rates = [(part / took[-1].seconds, part / took[0].seconds)]
    return [
        compare(f"{database}: peak memory at 100 %", "MiB", "the same at 10 %", memory, Goal("<=", 1.1)),
        compare(f"{database}: recorded in the last tenth", "events/s", "in the first tenth", rates),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="in one run of ours")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--database", choices=sorted(BARE), action="append", help="default: both")
    parser.add_argument("--recorders", type=int, default=1, help="of ours that share the stream (SPANFEED_RECORDERS)")
    parser.add_argument("--backlog", type=int, default=0, help="drains a backlog of so many events, instead")
    parser.add_argument("--server", choices=SERVERS, default="valkey")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: list[Comparison] = []
    for database in asked.database or (["postgresql"] if asked.backlog else sorted(BARE)):
        with place(database, asked.server) as at:
            if asked.backlog:
                found += drain(at, database, asked.backlog)
            else:
                found += measure(at, database, asked.events, asked.pairs, asked.recorders)
    show(found, asked.json)


if __name__ == "__main__":
    main()

"""The pipeline's own overhead: six stages that do nothing else against a bare canvas chain of six no-op tasks.

`python -m benchmarks.pipeline [--pairs 12] [--runs 300] [--server valkey|redis] [--one-queue] [--json]`
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

sys.path[:1] = [str(Path(__file__).parents[1])]

import redis

from benchmarks.finish import DONE
from benchmarks.pairs import Comparison, compare
from benchmarks.processes import Program, worker
from benchmarks.report import show
from tests.parts.redis_part import SERVERS, RedisPart

_WAIT_SECONDS = 60
_WARM_UP_RUNS = 40


class Submitter(Protocol):
    """One of the two sides, as the measurement sees it."""

    name: str

    def submit(self) -> str:
        """Sends one run."""


class Side:
    """A submitter with its worker."""

    def __init__(self, submitter: Submitter, program: Program, client: redis.Redis) -> None:
        self.submitter = submitter
        self._program = program
        self._client = client

    def _await(self, count: int) -> list[str]:
        told = []
        for _ in range(count):
            reply = self._client.blpop([DONE], timeout=_WAIT_SECONDS)
            if reply is None:
                raise RuntimeError(f"{self.submitter.name}: a run did not end; see {self._program.log}")
            told.append(reply[1].decode())
        return told

    def one_run(self) -> float:
        """Seconds from before the submission until the last task's end is heard."""
        began = time.perf_counter()
        message_id = self.submitter.submit()
        told = self._await(1)
        took = time.perf_counter() - began
        if told != [message_id]:
            raise RuntimeError(f"{self.submitter.name}: another run ended")
        return took

    def many_runs(self, count: int) -> tuple[float, float, float]:
        """Runs a second, and CPU milliseconds a run of the worker and of Redis, for runs submitted at once."""
        cpu, redis_cpu, began = self._program.cpu_seconds(), self._redis_cpu(), time.perf_counter()
        sent = {self.submitter.submit() for _ in range(count)}
        told = set(self._await(count))
        took = time.perf_counter() - began
        cpu, redis_cpu = self._program.cpu_seconds() - cpu, self._redis_cpu() - redis_cpu
        if sent != told:
            raise RuntimeError(f"{self.submitter.name}: {len(sent - told)} runs did not end")
        return count / took, cpu / count * 1e3, redis_cpu / count * 1e3

    def _redis_cpu(self) -> float:
        info = self._client.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def measure(ours: Side, peer: Side, pairs: int, runs: int, latency_runs: int) -> list[Comparison]:
    """Interleaved pairs of both measurements."""
    for side in (ours, peer):
        for _ in range(_WARM_UP_RUNS):
            side.one_run()
        side.many_runs(runs // 3)
    p50: list[tuple[float, float]] = []
    many: list[tuple[tuple[float, float, float], tuple[float, float, float]]] = []
    for number in range(pairs):
        # Single runs take turns, so that a disturbance of a second meets both sides.
        singles = [(ours.one_run(), peer.one_run()) for _ in range(latency_runs)]
        first, second = statistics.median(o for o, _ in singles), statistics.median(p for _, p in singles)
        p50.append((first * 1e3, second * 1e3))
        if number % 2:
            theirs = peer.many_runs(runs)
            many.append((ours.many_runs(runs), theirs))
        else:
            many.append((ours.many_runs(runs), peer.many_runs(runs)))
    name = peer.submitter.name
    return [
        compare("latency p50, one run at a time", "ms", name, p50, "<= 1.15"),
        compare("throughput", "runs/s", name, [(o[0], p[0]) for o, p in many], ">= 1.0"),
        compare("worker CPU", "ms/run", name, [(o[1], p[1]) for o, p in many], "<= 0.95"),
        compare("Redis CPU", "ms/run", name, [(o[2], p[2]) for o, p in many]),
    ]


def prepare(server: RedisPart, home: Path) -> Mapping[str, str]:
    """The environment of both workers and of this process. Must come before any import of `tasks`."""
    # A rewrite of the append-only file would fall on one side by chance.
    server.client().config_set("auto-aof-rewrite-percentage", 0)
    environment = {"REDIS_URL": server.url, "SPANFEED_BROKER_URL": "", "SPANFEED_HOME": str(home)}
    environment |= {"SPANFEED_WORKER_PROCESSES": "2", "OTEL_TRACES_EXPORTER": "none"}
    os.environ.update(environment)
    return environment


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--runs", type=int, default=300, help="submitted at once")
    parser.add_argument("--latency-runs", type=int, default=60, help="one at a time, for each pair")
    parser.add_argument("--server", choices=SERVERS, default="valkey")
    parser.add_argument("--one-queue", action="store_true", help="the chain's tasks share a queue")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder:
        home = Path(folder)
        server = RedisPart(home / "redis", asked.server)
        try:
            show(_compared(asked, server, home), asked.json)
        finally:
            server.stop()


def _compared(asked: argparse.Namespace, server: RedisPart, home: Path) -> list[Comparison]:
    environment = prepare(server, home)
    from benchmarks import noop_chain, noop_stages
    from pipeline import settings as settings_table
    from pipeline.bus import open_bus
    from pipeline.tracing import Tracing

    settings = settings_table.load()
    our_submitter = noop_stages.Submitter(open_bus(settings), Tracing(settings))
    bare_submitter = noop_chain.Submitter(asked.one_queue)
    client = redis.Redis.from_url(server.url, socket_timeout=_WAIT_SECONDS + 10)
    with (
        worker("benchmarks.noop_stages", our_submitter.queues, home / "ours.log", environment) as our_worker,
        worker("benchmarks.noop_chain", bare_submitter.queues, home / "bare.log", environment) as bare_worker,
    ):
        ours = Side(our_submitter, our_worker, client)
        peer = Side(bare_submitter, bare_worker, client)
        return measure(ours, peer, asked.pairs, asked.runs, asked.latency_runs)


if __name__ == "__main__":
    main()

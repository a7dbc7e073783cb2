"""The pipeline's own overhead: six stages that do nothing else against a bare canvas chain of six no-op tasks.

`python -m benchmarks.pipeline [--seconds 200] [--runs 100] [--server valkey|redis] [--one-queue] [--json]`
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
import redis

from benchmarks.chain_pairs import ChainPairs, Side
from benchmarks.pairs import Comparison
from benchmarks.processes import cpu_seconds, environment_with, worker
from benchmarks.quiet import own_seconds
from benchmarks.report import show
from tests.parts.redis_part import SERVERS, RedisPart

_WAIT_SECONDS = 60
_FEWEST_PAIRS = 8


def prepare(server: RedisPart, home: Path) -> Mapping[str, str]:
    """The environment of both workers and of this process. Must come before any import of `tasks`."""
    # A rewrite of the append-only file would fall on one side by chance.
    server.client().config_set("auto-aof-rewrite-percentage", 0)
    environment = {"REDIS_URL": server.url, "SPANFEED_BROKER_URL": "", "SPANFEED_HOME": str(home)}
    environment |= {"SPANFEED_WORKER_PROCESSES": "2", "OTEL_TRACES_EXPORTER": "none"}
    os.environ.update(environment_with(environment))
    return environment


def measure(asked: argparse.Namespace, server: RedisPart, home: Path) -> list[Comparison]:
    """Starts both workers and takes pairs until the intervals are narrow or the time is up."""
    environment = prepare(server, home)
    from benchmarks import noop_chain, noop_stages
    from pipeline import settings as settings_table
    from pipeline.bus import open_bus
    from pipeline.tracing import Tracing

    settings = settings_table.load()
    our_submitter = noop_stages.Submitter(open_bus(settings), Tracing(settings))
    bare_submitter = noop_chain.Submitter(asked.one_queue)
    client = redis.Redis.from_url(server.url, socket_timeout=_WAIT_SECONDS + 10)
    redis_server = psutil.Process(client.info("server")["process_id"])
    with (
        worker("benchmarks.noop_stages", our_submitter.queues, home / "ours.log", environment) as our_worker,
        worker("benchmarks.noop_chain", bare_submitter.queues, home / "bare.log", environment) as bare_worker,
    ):
        ours = Side(our_submitter, our_worker, client, _WAIT_SECONDS)
        peer = Side(bare_submitter, bare_worker, client, _WAIT_SECONDS)

        def all_cpu_seconds() -> float:
            workers = our_worker.cpu_seconds() + bare_worker.cpu_seconds()
            return own_seconds() + workers + cpu_seconds(redis_server)

        pairs = ChainPairs(ours, peer, all_cpu_seconds)
        pairs.warm_up(asked.runs)
        deadline = time.monotonic() + asked.seconds
        while pairs.count < _FEWEST_PAIRS or (time.monotonic() < deadline and not pairs.narrow(asked.width)):
            pairs.take(asked.runs, asked.latency_runs)
    if not asked.json:
        print(f"{pairs.count} pairs, {pairs.kept} of them little disturbed (others' cores: {pairs.disturbance:.2f})")
    return pairs.comparisons()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=200.0, help="no pair is begun after so long")
    parser.add_argument("--width", type=float, default=0.05, help="intervals of the ratios that are narrow enough")
    parser.add_argument("--runs", type=int, default=100, help="submitted at once")
    parser.add_argument("--latency-runs", type=int, default=25, help="one at a time, for each pair")
    parser.add_argument("--server", choices=SERVERS, default="valkey")
    parser.add_argument("--one-queue", action="store_true", help="the chain's tasks share a queue")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder:
        home = Path(folder)
        server = RedisPart(home / "redis", asked.server, in_memory=False)
        try:
            show(measure(asked, server, home), asked.json)
        finally:
            server.stop()


if __name__ == "__main__":
    main()

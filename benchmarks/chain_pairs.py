"""The pairs of pipeline.py: single runs by turns, then many at once of either side."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Protocol, cast

import redis

from benchmarks.finish import DONE
from benchmarks.pairs import Comparison, Goal, Pair, compare
from benchmarks.processes import Program
from benchmarks.quiet import Disturbance, Watch, quiet_numbers

_WARM_UP_RUNS = 40
_QUIET_CORES = 0.25


class Submitter(Protocol):
    """One of the two sides, as the measurement sees it."""

    name: str

    def submit(self) -> str:
        """Sends one run and gives the id that its end will tell."""


@dataclasses.dataclass(frozen=True)
class Many:
    """Runs submitted at once: runs a second, and CPU milliseconds a run of the worker and of Redis."""

    throughput: float
    worker_cpu: float
    redis_cpu: float


class Side:
    """A submitter with its worker."""

    def __init__(self, submitter: Submitter, program: Program, client: redis.Redis, wait_seconds: int) -> None:
        self.submitter = submitter
        self._program = program
        self._client = client
        self._wait_seconds = wait_seconds

    def _await(self, count: int) -> list[str]:
        told = []
        for _ in range(count):
            reply = self._client.blpop([DONE], timeout=self._wait_seconds)
            if reply is None:
                log = self._program.log.read_text(errors="replace")
                raise RuntimeError(f"{self.submitter.name}: a run did not end; the worker's log: {log[-2000:]}")
            told.append(cast(bytes, reply[1]).decode())
        return told

    def one_run(self) -> float:
        """Milliseconds from before the submission until the last task's end is heard."""
        began = time.perf_counter()
        message_id = self.submitter.submit()
        told = self._await(1)
        took = time.perf_counter() - began
        if told != [message_id]:
            raise RuntimeError(f"{self.submitter.name}: another run ended")
        return took * 1e3

    def many_runs(self, count: int) -> Many:
        """Submits `count` runs and waits until all have ended."""
        cpu, redis_cpu, began = self._program.cpu_seconds(), self._redis_cpu(), time.perf_counter()
        sent = {self.submitter.submit() for _ in range(count)}
        told = set(self._await(count))
        took = time.perf_counter() - began
        cpu, redis_cpu = self._program.cpu_seconds() - cpu, self._redis_cpu() - redis_cpu
        if sent != told:
            raise RuntimeError(f"{self.submitter.name}: {len(sent - told)} runs did not end")
        return Many(count / took, cpu / count * 1e3, redis_cpu / count * 1e3)

    def _redis_cpu(self) -> float:
        info = self._client.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


class ChainPairs:
    """What was measured so far."""

    def __init__(self, ours: Side, peer: Side, own_cpu_seconds: Callable[[], float]) -> None:
        self._ours = ours
        self._peer = peer
        self._own_cpu_seconds = own_cpu_seconds
        self._p50: list[Pair] = []
        self._many: list[tuple[Many, Many]] = []
        self._disturbances: list[Disturbance] = []

    def warm_up(self, runs: int) -> None:
        """Runs whose figures are forgotten."""
        for side in (self._ours, self._peer):
            for _ in range(_WARM_UP_RUNS):
                side.one_run()
            side.many_runs(runs)

    def take(self, runs: int, latency_runs: int) -> None:
        """Takes one more pair. Single runs take turns, so that a disturbance of a second meets both sides."""
        watch = Watch(self._own_cpu_seconds)
        singles = [(self._ours.one_run(), self._peer.one_run()) for _ in range(latency_runs)]
        self._p50.append((statistics.median(o for o, _ in singles), statistics.median(p for _, p in singles)))
        if self.count % 2:
            peer = self._peer.many_runs(runs)
            self._many.append((self._ours.many_runs(runs), peer))
        else:
            self._many.append((self._ours.many_runs(runs), self._peer.many_runs(runs)))
        self._disturbances.append(watch.seen())

    @property
    def count(self) -> int:
        """How many pairs there are."""
        return len(self._disturbances)

    @property
    def kept(self) -> int:
        """How many of them count."""
        return len(self._quiet())

    @property
    def disturbance(self) -> float:
        """The cores that others used during these, on the average."""
        return statistics.fmean(self._disturbances[number].cores for number in self._quiet())

    def _quiet(self) -> list[int]:
        return quiet_numbers(self._disturbances, _QUIET_CORES)

    def narrow(self, width: float) -> bool:
        """Whether the intervals of what has a goal are at most `width` wide."""
        return all(one.high - one.low <= width for one in self.comparisons() if one.goal is not None)

    def comparisons(self) -> list[Comparison]:
        """The figures so far."""
        name, quiet = self._peer.submitter.name, self._quiet()
        many = [self._many[number] for number in quiet]

        def pairs(figure: Callable[[Many], float]) -> list[Pair]:
            return [(figure(ours), figure(peer)) for ours, peer in many]

        latency = [self._p50[number] for number in quiet]
        return [
            compare("latency p50, one run at a time", "ms", name, latency, Goal("<=", 1.15)),
            compare("throughput", "runs/s", name, pairs(lambda one: one.throughput), Goal(">=", 1.0)),
            compare("worker CPU", "ms/run", name, pairs(lambda one: one.worker_cpu), Goal("<=", 0.95)),
            compare("Redis CPU", "ms/run", name, pairs(lambda one: one.redis_cpu)),
        ]

"""The trials of recovery.py: kills of a child, kills of a whole worker, many runs at once; on all sides by turns."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import time
from collections.abc import Callable, Sequence

from benchmarks.pairs import Comparison, Goal, Pair, compare, compare_percentile
from benchmarks.recovery_celery import Side

_BEGIN_SECONDS = 30.0
_RESUME_SECONDS = 75.0
_LONGEST_WORK_SECONDS = 3.0
_GOLDEN = 0.618034
_RECORDED_SECONDS = 0.3
"""The recorder stores at most so long behind; its CPU time belongs to the runs."""

Figures = dict[str, list[float]]
"""By side, in the order of the trials."""


@dataclasses.dataclass(frozen=True)
class Goals:
    """Of ours: seconds to the stage's second beginning."""

    child_p50: float = 0.2
    worker_p95: float = 6.0


class Trials:
    """What was measured so far; the first side is ours."""

    def __init__(self, sides: Sequence[Side]) -> None:
        self._sides = sides
        self.child: Figures = {side.name: [] for side in sides}
        self.worker: Figures = {side.name: [] for side in sides}
        self.throughput: Figures = {side.name: [] for side in sides}
        self.cpu: Figures = {side.name: [] for side in sides}

    def kill_children(self) -> None:
        """One trial of each side, one after the other."""
        for side in self._sides:
            took = _recover(side, side.kill_child, _LONGEST_WORK_SECONDS * 0.1)
            self.child[side.name].append(took)
            side.renew()

    def kill_workers(self) -> None:
        """One trial of all sides at the same moment, since nearly all of the time is waiting.

        The stage has worked for 0 to 3 s: neither a lease nor a visibility timeout is always in the same phase.
        """
        number = len(self.worker[self._sides[0].name])
        worked = _LONGEST_WORK_SECONDS * (number * _GOLDEN % 1)
        with concurrent.futures.ThreadPoolExecutor(len(self._sides)) as threads:
            took = threads.map(lambda side: _recover(side, side.kill_worker, worked), self._sides)
            for side, seconds in zip(self._sides, took, strict=True):
                self.worker[side.name].append(seconds)
        for side in self._sides:
            side.renew()

    def many_runs(self, count: int) -> None:
        """Many runs of each side; who begins changes."""
        turn = len(self.cpu[self._sides[0].name]) % len(self._sides)
        for side in (*self._sides[turn:], *self._sides[:turn]):
            throughput, cpu = _many(side, count)
            self.throughput[side.name].append(throughput)
            self.cpu[side.name].append(cpu)

    def warm_up(self, count: int) -> None:
        """Runs whose figures are forgotten."""
        for side in self._sides:
            side.await_ends(side.submit(count))

    def comparisons(self) -> list[Comparison]:
        """The figures so far."""
        found = []
        for peer in (side.name for side in self._sides[1:]):
            found += self._recovery(peer)
            versus, more = f", against {peer}", Goal(">=", 1.0) if peer == "DBOS" else None
            found.append(compare(f"throughput{versus}", "runs/s", peer, self._pairs(self.throughput, peer), more))
            found.append(compare(f"CPU{versus}", "ms/run", peer, self._pairs(self.cpu, peer)))
        return found

    def _recovery(self, peer: str) -> list[Comparison]:
        goals, sooner, found = Goals(), Goal("<=", 1.0), []
        child, worker = self._pairs(self.child, peer), self._pairs(self.worker, peer)
        for what, pairs, share, limit in (
            ("child", child, 0.5, goals.child_p50),
            ("child", child, 0.95, None),
            ("worker", worker, 0.5, None),
            ("worker", worker, 0.95, goals.worker_p95),
        ):
            name = f"{what} killed p{share * 100:.0f}"
            if limit is not None and peer == self._sides[1].name:
                found.append(compare_percentile(name, "s", peer, pairs, share, Goal("<=", limit, ours=True)))
            found.append(compare_percentile(f"{name}, against {peer}", "s", peer, pairs, share, sooner))
        return found

    def _pairs(self, figures: Figures, peer: str) -> list[Pair]:
        return list(zip(figures[self._sides[0].name], figures[peer], strict=True))


def _recover(side: Side, kill: Callable[[int], None], worked_seconds: float) -> float:
    """Seconds from the kill until the stage begins again."""
    with side.gate.shut():
        [run_id] = side.submit(1)
        first = side.gate.next(run_id, _BEGIN_SECONDS)
        time.sleep(worked_seconds)
        killed = time.monotonic()
        kill(first.process_id)
        first.drop()
        second = side.gate.next(run_id, _RESUME_SECONDS)
    second.go()
    side.await_ends([run_id])
    return second.at - killed


def _many(side: Side, count: int) -> tuple[float, float]:
    """Runs a second, and CPU milliseconds a run."""
    cpu, began = side.cpu_seconds(), time.monotonic()
    side.await_ends(side.submit(count))
    took = time.monotonic() - began
    time.sleep(_RECORDED_SECONDS)
    return count / took, (side.cpu_seconds() - cpu) / count * 1e3

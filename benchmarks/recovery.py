"""How soon a killed stage begins again, and runs a second: Spanfeed, plain Celery, DBOS; six no-op steps each.

`python -m benchmarks.recovery [--trials 20] [--seconds 540] [--runs 100] [--pairs 8] [--server valkey|redis] [--json]`

Measured is the time from `kill -9` to the stage's second beginning, p50 and p95. Every side has two workers on one
machine, the second standing by. *Child*: the process that holds the stage is killed. *Worker*: all processes of that
worker are killed at once; the stage had then worked for 0 to 3 s.

- Spanfeed: settings as they come, real recorder and watchdog, Redis with its append-only file.
- Plain Celery: acknowledged late, rejected when a child is lost, one message ahead, and what brings a lost worker's
  message back soonest: a visibility timeout of 10 s, looked at every second. It counts from the delivery, and a task
  that takes longer runs twice at once. `--kombu-defaults` leaves kombu's intervals for looking; then use few trials.
- DBOS: what its documentation names for executors without its Conductor service: executor ids of their own, and the
  restart of a killed executor under its id, which gives its workflows back to their queue. A supervisor that waits
  not at all does that here. Another executor never takes a lost one's workflows over; Conductor would after 60 s. An
  executor has no children, so both kills are this one. The queue is looked at every 50 ms, which was its best of
  50 ms, 200 ms and 1 s. Its PostgreSQL does not wait for the disk. DBOS is installed into the user's cache.

Runs a second: many submitted at once, each side by turns; CPU is that of workers, recorder, and Redis or PostgreSQL.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest

from benchmarks import recovery_celery
from benchmarks.dbos_home import python_with_dbos, say
from benchmarks.recovery_celery import Side
from benchmarks.recovery_dbos import DbosSide
from benchmarks.recovery_trials import Trials
from benchmarks.report import show
from tests.parts.redis_part import SERVERS, RedisPart

_FEWEST = 3
_SHARE_OF_KILLS = 0.8


def open_sides(asked: argparse.Namespace, home: Path, ends: contextlib.ExitStack) -> list[Side]:
    """Starts all sides, Spanfeed first; DBOS is left out, in one line, where it or PostgreSQL cannot be had."""
    sides: list[Side] = []
    for folder in ("ours", "celery"):
        server = RedisPart(home / folder, asked.server, in_memory=False)
        ends.callback(server.stop)
        if folder == "ours":
            side = recovery_celery.spanfeed(home, server)
        else:
            side = recovery_celery.plain(home, server, asked.kombu_defaults)
        ends.callback(side.close)
        sides.append(side)
    python = None if asked.no_dbos else python_with_dbos()
    if python is not None:
        try:
            dbos = DbosSide(home, python)
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            say(f"DBOS is left out: {missing}")
        else:
            ends.callback(dbos.close)
            sides.append(dbos)
    return sides


def measure(asked: argparse.Namespace, sides: list[Side]) -> Trials:
    """Takes trials of each kind by turns, until there are enough or the time is up."""
    trials = Trials(sides)
    trials.warm_up(asked.runs)
    began = time.monotonic()
    for number in range(asked.trials):
        if number >= _FEWEST and time.monotonic() - began > asked.seconds * _SHARE_OF_KILLS:
            say(f"The time is up after {number} trials.")
            break
        trials.kill_workers()
        trials.kill_children()
        say(f"trial {number + 1} of {asked.trials}")
    for side in sides:
        side.gate.close()
    trials.warm_up(asked.runs)
    for number in range(asked.pairs):
        if number >= _FEWEST and time.monotonic() - began > asked.seconds:
            break
        trials.many_runs(asked.runs)
    return trials


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="kills of each kind")
    parser.add_argument("--seconds", type=float, default=540.0, help="nothing is begun after so long")
    parser.add_argument("--runs", type=int, default=100, help="submitted at once")
    parser.add_argument("--pairs", type=int, default=8, help="how often each side gets so many runs")
    parser.add_argument("--server", choices=SERVERS, default="valkey")
    parser.add_argument("--kombu-defaults", action="store_true", help="plain Celery with kombu's own intervals")
    parser.add_argument("--no-dbos", action="store_true", help="leave DBOS out")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder, contextlib.ExitStack() as ends:
        trials = measure(asked, open_sides(asked, Path(folder), ends))
        show(trials.comparisons(), asked.json)


if __name__ == "__main__":
    main()

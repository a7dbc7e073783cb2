"""An executor of DBOS: a workflow of six steps that do nothing, the third behind the gate.

Run by a Python that has dbos, in a process whose environment names the system database and the executor's id.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from dbos import DBOS

from benchmarks.recovery_gate import pass_gate

QUEUE = "runs"
WORKFLOW = "six_steps"
VERSION = "1"
"""Set, so that a restarted executor recovers what it had begun."""

POLLING_SECONDS = float(os.environ.get("BENCHMARK_DBOS_POLLING_SECONDS", "0.05"))


def _declare(number: int) -> Callable[[], None]:
    def nothing() -> None:
        if number == 3:
            pass_gate(str(DBOS.workflow_id))

    return DBOS.step(name=f"step{number}")(nothing)


STEPS = [_declare(number) for number in range(1, 7)]


@DBOS.workflow(name=WORKFLOW)
def six_steps() -> None:
    """Runs the steps one after the other."""
    for step in STEPS:
        step()


def main() -> None:
    """Runs until it is killed."""
    DBOS(
        config={
            "name": "recovery-benchmark",
            "system_database_url": os.environ["BENCHMARK_DBOS_DATABASE"],
            "executor_id": os.environ["BENCHMARK_DBOS_EXECUTOR"],
            "application_version": VERSION,
            "log_level": "WARNING",
        }
    )
    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=POLLING_SECONDS)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()

"""The side of recovery.py that is DBOS: two executors on a PostgreSQL of their own, each restarted at once."""

from __future__ import annotations

import functools
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import psycopg

from benchmarks.processes import ROOT, Program, cpu_seconds, environment_with
from benchmarks.recovery_gate import PATH, Gate
from tests.parts.postgres_part import PostgresPart
from tests.parts.waiting import wait_for

_READY_SECONDS = 60.0
_END_SECONDS = 60.0
_ENDED = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS' AND workflow_uuid = ANY(%s)"
_LOOK_SECONDS = 0.01


class DbosSide:
    """Executors with ids of their own; a killed one is started again at once, under its id, which recovers its runs."""

    name = "DBOS"

    def __init__(self, home: Path, python: Path) -> None:
        self._python = str(python)
        self._home = home
        self.gate = Gate(home / "dbos.gate")
        self._postgres = PostgresPart()
        address = self._postgres.new_database()
        self._environment = {"BENCHMARK_DBOS_DATABASE": address, PATH: str(self.gate.path)}
        self._executors: dict[str, Program] = {}
        self._started = 0
        # One after the other: the first makes the tables.
        for executor_id in ("one", "two"):
            self._start(executor_id)
            self.renew()
        self._client = subprocess.Popen(
            [self._python, "-m", "benchmarks.dbos_client"],
            cwd=ROOT,
            env=environment_with(self._environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._said()
        self._database = psycopg.connect(address, autocommit=True)

    def _start(self, executor_id: str) -> None:
        self._started += 1
        self._executors[executor_id] = Program(
            [self._python, "-m", "benchmarks.dbos_steps"],
            self._home / f"dbos-{self._started}.log",
            {**self._environment, "BENCHMARK_DBOS_EXECUTOR": executor_id},
        )

    def _said(self) -> str:
        assert self._client.stdout is not None
        line = self._client.stdout.readline()
        if not line:
            raise RuntimeError("DBOS's client has ended")
        return line

    def submit(self, count: int) -> list[str]:
        """Sends runs by DBOS's client and gives their ids."""
        assert self._client.stdin is not None
        self._client.stdin.write(f"{count}\n")
        self._client.stdin.flush()
        return self._said().split()

    def await_ends(self, run_ids: Sequence[str]) -> None:
        """Waits until the database says that these runs have ended. Raises RuntimeError when one does not."""
        deadline = time.monotonic() + _END_SECONDS
        while True:
            row = self._database.execute(_ENDED, [list(run_ids)]).fetchone()
            if row is not None and row[0] == len(run_ids):
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: a run did not end; logs: {self._home}")
            time.sleep(_LOOK_SECONDS)

    def kill_child(self, process_id: int) -> None:
        """An executor has no children: it is killed as a whole, and started again without any delay."""
        lost = next(name for name, one in self._executors.items() if one.contains(process_id))
        self._executors[lost].kill()
        self._start(lost)

    kill_worker = kill_child

    def renew(self) -> None:
        """Waits until both executors have been launched."""
        for one in self._executors.values():
            wait_for(functools.partial(one.says, "ready"), f"an executor's launch; its log: {one.log}", _READY_SECONDS)

    def cpu_seconds(self) -> float:
        """CPU time of the executors and of PostgreSQL."""
        executors = sum(one.cpu_seconds() for one in self._executors.values())
        return executors + cpu_seconds(psutil.Process(self._postgres._process.pid))

    def close(self) -> None:
        """Ends everything."""
        self.gate.close()
        self._database.close()
        self._client.kill()
        self._client.wait(10)
        for one in self._executors.values():
            one.kill()
        self._postgres.stop()

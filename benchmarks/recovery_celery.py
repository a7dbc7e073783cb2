"""The two sides of recovery.py that are Celery workers: Spanfeed's stages, and a plain chain of tasks.

Each has a Redis of its own and two workers with two children each, one standing by for the other.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

import psutil

from benchmarks.chain_pairs import Submitter
from benchmarks.finish import DONE, READY
from benchmarks.processes import Program, cpu_seconds, worker
from benchmarks.recovery_gate import PATH, Gate
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for

_READY_SECONDS = 60.0
_END_SECONDS = 60


class Side(Protocol):
    """One of the programs that are compared."""

    name: str
    gate: Gate

    def submit(self, count: int) -> list[str]:
        """Sends runs and gives their ids."""

    def await_ends(self, run_ids: Sequence[str]) -> None:
        """Waits until these runs, and no others, have ended."""

    def kill_child(self, process_id: int) -> None:
        """Kills the process that holds a stage, and no other."""

    def kill_worker(self, process_id: int) -> None:
        """Kills all of the worker that this process belongs to."""

    def renew(self) -> None:
        """Starts what was killed again, for the next trial, and waits until it is ready."""

    def cpu_seconds(self) -> float:
        """CPU time of the workers and of what keeps their state."""

    def close(self) -> None:
        """Ends its programs."""


class CelerySide:
    """Two workers of one module. Use `spanfeed` or `plain`."""

    def __init__(self, name: str, module: str, home: Path, server: RedisPart, more: Mapping[str, str]) -> None:
        self.name = name
        self.gate = Gate(home / f"{module.rpartition('.')[2]}.gate")
        self._module = module
        self._home = home
        self._environment = {
            "REDIS_URL": server.url,
            "SPANFEED_BROKER_URL": "",
            "SPANFEED_HOME": str(home),
            "SPANFEED_WORKER_PROCESSES": "2",
            "OTEL_TRACES_EXPORTER": "none",
            PATH: str(self.gate.path),
            **more,
        }
        self._client = server.client()
        # A rewrite of the append-only file would fall on one side by chance.
        self._client.config_set("auto-aof-rewrite-percentage", 0)
        self._server = psutil.Process(self._client.info("server")["process_id"])
        self._blocking = type(self._client)(port=server.port, socket_timeout=_END_SECONDS + 10)
        self._workers: list[Program] = []
        self._beside: list[Program] = []
        self._started = 0
        self.submitter: Submitter | None = None

    def open(self, submitter: Submitter, queues: tuple[str, ...]) -> None:
        """Starts the workers, for runs that `submitter` sends."""
        self.submitter, self._queues = submitter, queues
        self.renew()

    def add_recorder(self) -> None:
        """Starts Spanfeed's recorder, in whose process the watchdog runs."""
        command = [str(Path(sys.executable).parent / "spanfeed"), "record"]
        self._beside.append(Program(command, self._home / "recorder.log", self._environment))

    def submit(self, count: int) -> list[str]:
        """See Side."""
        assert self.submitter is not None
        return [self.submitter.submit() for _ in range(count)]

    def await_ends(self, run_ids: Sequence[str]) -> None:
        """See Side. Raises RuntimeError when a run does not end, or another does."""
        missing = set(run_ids)
        while missing:
            reply = self._blocking.blpop([DONE], timeout=_END_SECONDS)
            if reply is None:
                raise RuntimeError(f"{self.name}: a run did not end; logs: {self._home}")
            run_id = cast(bytes, reply[1]).decode()
            if run_id not in missing:
                raise RuntimeError(f"{self.name}: a run ended twice: {run_id}")
            missing.remove(run_id)

    def kill_child(self, process_id: int) -> None:
        """See Side."""
        psutil.Process(process_id).kill()

    def kill_worker(self, process_id: int) -> None:
        """See Side."""
        lost = next(one for one in self._workers if one.contains(process_id))
        self._workers.remove(lost)
        lost.kill()

    def renew(self) -> None:
        """See Side."""
        while len(self._workers) < 2:
            self._started += 1
            log = self._home / f"{self._module.rpartition('.')[2]}-{self._started}.log"
            self._workers.append(worker(self._module, self._queues, log, self._environment))
        for one in self._workers:
            wait_for(functools.partial(one.says, READY), f"a worker's readiness; its log: {one.log}", _READY_SECONDS)

    def cpu_seconds(self) -> float:
        """See Side."""
        programs = sum(one.cpu_seconds() for one in (*self._workers, *self._beside))
        return programs + cpu_seconds(self._server)

    def close(self) -> None:
        """See Side."""
        self.gate.close()
        for one in (*self._workers, *self._beside):
            one.stop()


def spanfeed(home: Path, server: RedisPart) -> CelerySide:
    """Six stages with the real recorder and watchdog, all settings as they come."""
    side = CelerySide("Spanfeed", "benchmarks.recovery_stages", home, server, {})
    # Before any import of `tasks`, whose app reads the settings.
    os.environ.update(side._environment)
    from benchmarks import noop_stages
    from pipeline import settings as settings_table
    from pipeline.bus import open_bus
    from pipeline.store import migrate, open_store
    from pipeline.tracing import Tracing

    settings = settings_table.load()
    store = open_store(settings)
    migrate.upgrade(store)
    store.close()
    side.add_recorder()
    submitter = noop_stages.Submitter(open_bus(settings), Tracing(settings))
    side.open(submitter, submitter.queues)
    return side


def plain(home: Path, server: RedisPart, kombu_defaults: bool) -> CelerySide:
    """A canvas chain of six tasks; after `spanfeed`."""
    from benchmarks import noop_chain, recovery_chain

    name = "plain Celery, kombu's defaults" if kombu_defaults else "plain Celery"
    more = {recovery_chain.DEFAULTS: "1" if kombu_defaults else ""}
    side = CelerySide(name, "benchmarks.recovery_chain", home, server, more)
    noop_chain.app.conf.broker_url = server.url
    submitter = noop_chain.Submitter()
    side.open(submitter, submitter.queues)
    return side

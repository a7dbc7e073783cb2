"""The processes of a run, each in a group of its own, started again when they end: what a supervisor does."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.faults.journal import Sample
from tests.parts.waiting import wait_for

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
_LOOK_SECONDS = 0.1
_RESTART_SECONDS = 0.3
_END_SECONDS = 12.0


@dataclasses.dataclass
class Member:
    """One process: how it is started, and the one that runs now. `wanted`: it is started again when it ends."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    wanted: bool = True
    ended_at: float | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there; a frozen one is."""
        return self.process is not None and self.process.poll() is None


class Fleet:
    """All processes, by name."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.members: dict[str, Member] = {}
        self.restarts = 0
        self._lock = threading.RLock()
        """One starts or ends a process at a time."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def add(self, name: str, *command: str, **environment: str) -> None:
        """Names a process; `start` starts all that are named."""
        self.members[name] = Member(name, command, environment)

    def start(self) -> None:
        """Starts every process, and supervision."""
        for member in self.members.values():
            self._spawn(member)
        self._thread.start()

    def named(self, prefix: str) -> list[str]:
        """The names that begin so."""
        return [name for name in self.members if name.startswith(prefix)]

    def log(self, name: str) -> str:
        """What a process has said, over all its lives."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _spawn(self, member: Member, **more: str) -> None:
        path = f"{BIN}:{os.environ['PATH']}"
        environment = {**os.environ, **self.environment, **member.environment, **more, "PATH": path}
        with (self.folder / f"{member.name}.log").open("ab") as log:
            member.process = subprocess.Popen(
                [str(BIN / member.command[0]), *member.command[1:]],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        member.starts += 1
        member.ended_at = None

    def _supervise(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for member in self.members.values():
                with self._lock:
                    if not member.wanted or member.running:
                        continue
                    now = time.monotonic()
                    member.ended_at = member.ended_at or now
                    if now - member.ended_at >= _RESTART_SECONDS and not self._over.is_set():
                        self._sweep(member)
                        self._spawn(member)
                        self.restarts += 1

    def _sweep(self, member: Member) -> None:
        """What is left of a dead process's group would hold its port, and is not looked after by anybody."""
        if member.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(member.process.pid, signal.SIGKILL)

    def family(self, name: str) -> list[psutil.Process]:
        """The process and all below it."""
        process = self.members[name].process
        if process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def children(self, name: str) -> list[int]:
        """The process ids of the children that work: those of a worker, or of a web server."""
        return [child.pid for child in self.family(name)[1:]]

    def send(self, name: str, number: signal.Signals, only_parent: bool = False) -> None:
        """Sends a signal to a process and, unless told otherwise, to all below it."""
        family = self.family(name)
        for process in family[:1] if only_parent else family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def replace(self, name: str, number: signal.Signals = signal.SIGTERM, **environment: str) -> None:
        """Ends a process (by SIGKILL when it takes too long) and starts another in its place."""
        member = self.members[name]
        with self._lock:
            member.wanted = False
        self.send(name, number, only_parent=number is signal.SIGTERM)
        if member.process is not None:
            try:
                member.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.send(name, signal.SIGKILL)
        with self._lock:
            self._sweep(member)
            self._spawn(member, **environment)
            member.wanted = True

    def wait_consuming(self, name: str, seconds: float = 60.0) -> None:
        """Waits until a worker consumes, in the life that it has now."""
        member = self.members[name]
        wait_for(lambda: self.log(name).count(" ready.") >= 1 or None, f"the readiness of {member.name}", seconds)

    def samples(self) -> list[Sample]:
        """What every process uses now; the parent and the children of a process have a name each."""
        found = []
        for name in self.members:
            for number, process in enumerate(self.family(name)):
                role = f"{name.partition('-')[0]}{'/child' if number else ''}"
                with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    found.append(Sample(role, process.memory_info().rss, process.num_threads(), process.num_fds()))
        return found

    def close(self) -> None:
        """Ends everything."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(5)
        for name, member in self.members.items():
            member.wanted = False
            self.send(name, signal.SIGKILL)
            self._sweep(member)
            if member.process is not None:
                member.process.wait(10)

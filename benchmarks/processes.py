"""Processes that a benchmark starts, what they cost, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

ROOT = Path(__file__).parents[1]
_STOP_SECONDS = 10.0


class Program:
    """A process with its children, in a session of its own; its output goes to `log`."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment_with(environment),
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._top = psutil.Process(self._process.pid)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def cpu_seconds(self) -> float:
        """User and system time of the process and its living children."""
        return cpu_seconds(self._top)

    def says(self, word: str) -> bool:
        """Whether its output so far holds `word`."""
        return word.encode() in self.log.read_bytes()

    def contains(self, process_id: int) -> bool:
        """Whether the process is this one or one of its children."""
        with contextlib.suppress(ProcessLookupError):
            return os.getpgid(process_id) == self._process.pid
        return False

    def kill(self) -> None:
        """Kills the process and its children at once, as they go with their machine."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """Ends the process and whatever is left of its children."""
        if self._process.poll() is not None:
            return
        children = self._top.children(recursive=True)
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


class LineProcess:
    """A process that answers lines with lines; what it has to complain about goes where this process's errors go."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment_with(environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, line: str) -> None:
        """Gives it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def heard(self) -> str:
        """Its next line, without the end. Raises RuntimeError when it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self._process.args))} has ended")  # type: ignore[arg-type]
        return line.rstrip("\n")

    def close(self) -> None:
        """Ends it, whether it is done or not."""
        self._process.kill()
        self._process.communicate(timeout=_STOP_SECONDS)


def environment_with(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `more`; its programs find this tree before any that is installed."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def cpu_seconds(top: psutil.Process) -> float:
    """User and system time of a process and its living children; a process's is exact to 10 ms."""
    times = [process.cpu_times() for process in [top, *top.children(recursive=True)]]
    return sum(one.user + one.system for one in times)


def worker(module: str, queues: tuple[str, ...], log: Path, environment: Mapping[str, str]) -> Program:
    """A Celery worker of two children for `module`'s app, as Spanfeed starts one but without task events."""
    command = [sys.executable, "-m", "celery", "-A", module, "worker", "--without-mingle", "--without-gossip"]
    command += ["--concurrency=2", "--loglevel=WARNING", f"--hostname={log.stem}@%h", f"--queues={','.join(queues)}"]
    return Program(command, log, environment)

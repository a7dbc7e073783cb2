"""One process under supervision: how it is started, read, ended."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from web.up.logs import BoundedLog, Lines

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 60.0
_READ_BYTES = 65_536
# A pipe holds 64 KiB; more can only come from a process that left the group.
_LAST_READS = 4


@dataclasses.dataclass(frozen=True)
class Spec:
    """What to run.

    `stop_by_seconds` orders the ending: children with a smaller one are asked to end before those with a
    larger one, and each is killed when so many seconds have passed since the ending began.
    `shown`: standard output goes to the supervisor's own, for progress bars.
    `keep_open`: descriptors that the child inherits.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] | None = dataclasses.field(default=None, repr=False)
    directory: Path | None = None
    stop_by_seconds: float = 1.2
    shown: bool = False
    keep_open: tuple[int, ...] = ()


class Child:
    """A spec's process, now and after each restart; with `once` there is no restart."""

    def __init__(self, spec: Spec, log: BoundedLog, once: bool = False) -> None:
        self.spec = spec
        self.once = once
        self.recent: deque[str] = deque(maxlen=20)
        self.deaths = 0
        self.status: int | None = None
        self.delay = 0.0
        self.starts_at: float | None = None
        self.silent = False
        self._log = log
        self._lines = Lines()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    @property
    def reason(self) -> str:
        """Why it ended last, in words."""
        if self.status is not None and self.status < 0:
            return f"signal {-self.status}"
        return f"status {self.status}"

    @property
    def process_id(self) -> int | None:
        """The running process, which leads a group of its own; None when there is none."""
        return self._process.pid if self._process else None

    @property
    def output(self) -> int | None:
        """The descriptor to read its lines from."""
        stream = self._process and (self._process.stdout or self._process.stderr)
        return stream.fileno() if stream else None

    def start(self) -> None:
        """Start the process in a session of its own, so that the terminal's Ctrl-C is ours alone.

        Raises OSError when the program cannot be run.
        """
        self.starts_at = None
        self.silent = False
        self._lines = Lines()
        self._started_at = time.monotonic()
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            self.spec.argv,
            stdin=subprocess.DEVNULL,
            stdout=None if self.spec.shown else pipe,
            stderr=pipe if self.spec.shown else subprocess.STDOUT,
            cwd=self.spec.directory,
            env=self.spec.environment,
            pass_fds=self.spec.keep_open,
            start_new_session=True,
        )
        if self.output is not None:
            os.set_blocking(self.output, False)

    def read(self) -> list[bytes]:
        """The lines written since the last call; they are in the log and in `recent` too."""
        if self.output is None or self.silent:
            return []
        try:
            data = os.read(self.output, _READ_BYTES)
        except BlockingIOError:
            return []
        self.silent = not data
        lines = self._lines.feed(data) if data else self._lines.flush()
        for line in lines:
            self._log.write(line + b"\n")
            self.recent.append(line.decode("utf-8", "replace"))
        return lines

    @property
    def ended(self) -> bool:
        """Whether the process has ended and waits for `bury`."""
        return self._process is not None and self._process.poll() is not None

    def bury(self) -> list[bytes]:
        """After the end: end what is left of its group, return its last lines, choose the next delay."""
        if self._process is None:
            return []
        self.status = self._process.returncode
        # Its id cannot be reused while a member of the group lives, so this hits its own or nobody.
        self._signal_group(signal.SIGKILL)
        last = [line for _ in range(_LAST_READS) for line in self.read()]
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        steady = time.monotonic() - self._started_at >= STEADY_SECONDS
        self.delay = FIRST_DELAY_SECONDS if steady or not self.delay else min(self.delay * 2, LONGEST_DELAY_SECONDS)
        self.deaths += 1
        self._process = None
        return last

    def terminate(self) -> None:
        """Ask the process to end.

        The leader alone, not its group: a worker's children would drop the stages they run, where
        the leader lets them finish.
        """
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """End the process and its group at once."""
        if self._process:
            self._signal_group(signal.SIGKILL)

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _signal_group(self, number: int) -> None:
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            # Nobody is left, or (macOS) only zombies that cannot be signalled.
            return

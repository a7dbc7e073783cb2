"""The supervisor's side of the guard: keeps it running, tells it which children there are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_GUARD = Path(__file__).with_name("guard.py")
_END_SECONDS = 0.3


class Guardian:
    """One guard process; `keep_open` are descriptors that it holds for as long as it lives."""

    def __init__(self, keep_open: tuple[int, ...] = ()) -> None:
        self._keep_open = keep_open
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        """Where the guard is told."""
        self._watched: list[int] | None = None

    def watch(self, process_ids: Iterable[int]) -> None:
        """Tell the guard which group leaders to end when this process is gone; start it if it died."""
        wanted = sorted(process_ids)
        if self._process is None or self._process.poll() is not None:
            self._start(wanted)
        elif wanted != self._watched:
            self._send(wanted)

    def close(self) -> None:
        """End the guard; the children it watched are left to the caller."""
        if self._process is None:
            return
        self._send([])
        self._hang_up()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_SECONDS)
        self._process = None

    def _hang_up(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _start(self, process_ids: list[int]) -> None:
        self._hang_up()
        listens, self._pipe = os.pipe()
        try:
            # A stopped guard must not stop the supervisor with it.
            os.set_blocking(self._pipe, False)
            # Told before it lives: a supervisor that is killed in between would leave a guard that knows nobody.
            self._send(process_ids)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD)],
                stdin=listens,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=self._keep_open,
                start_new_session=True,
            )
        finally:
            os.close(listens)

    def _send(self, process_ids: list[int]) -> None:
        if self._pipe is None:
            return
        self._watched = None
        line = " ".join(map(str, process_ids)).encode() + b"\n"
        try:
            if os.write(self._pipe, line) == len(line):
                self._watched = process_ids
        except (BrokenPipeError, BlockingIOError):
            # Sent again with the next call; a dead guard is started anew then.
            return

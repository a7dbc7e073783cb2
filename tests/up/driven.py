"""A supervisor in a process of its own, over small scripts, read line by line."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import psutil

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 15.0

_SUPERVISOR = """
import pathlib, sys
from web.up.child import Spec
from web.up.failures import StopRequested
from web.up.supervisor import Supervisor
from web.up.terminal import Terminal

folder, verbose, *names = sys.argv[1:]
terminal = Terminal(verbose=verbose == "verbose")
try:
    with Supervisor(pathlib.Path(folder), terminal) as supervisor:
        for place, name in enumerate(names):
            argv = (sys.executable, str(pathlib.Path(folder) / f"{name}.py"), folder)
            supervisor.start(Spec(name, argv, stop_by_seconds=1.0 + place))
        terminal.say("all started")
        supervisor.watch()
except StopRequested:
    terminal.say("all ended")
"""

# Writes its own id beside its script once it can be signalled.
PROLOGUE = """
import os, pathlib, signal, subprocess, sys, time
folder = pathlib.Path(sys.argv[1])
def here(name):
    draft = folder / f"{name}.draft"
    draft.write_text(str(os.getpid()))
    draft.rename(folder / f"{name}.pid")
"""
STEADY = PROLOGUE + "here('steady')\nwhile True: time.sleep(60)\n"
GRANDCHILD = PROLOGUE + (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nhere('grandchild')\nwhile True: time.sleep(60)\n"
)
STUBBORN = PROLOGUE + (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "subprocess.Popen([sys.executable, str(folder / 'grandchild.py'), str(folder)])\n"
    "here('stubborn')\n"
    "while True: time.sleep(60)\n"
)


def until(condition: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """The first true value of `condition`; fails the test when `what` does not come in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
    return value


def alive(process_id: int) -> bool:
    """Whether the process still runs; one that waits to be reaped does not."""
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Driven:
    """A running supervisor over the scripts that were written into `folder`."""

    def __init__(self, folder: Path, *names: str, verbose: bool = False) -> None:
        self.folder = folder
        self.said: list[str] = []
        self._buffer = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SUPERVISOR, str(folder), "verbose" if verbose else "quiet", *names],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(DEADLINE_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()

    def hears(self, text: str, seconds: float = DEADLINE_SECONDS) -> str:
        """The next line that holds `text`; the lines before it are in `said`."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while True:
            while b"\n" in self._buffer:
                raw, self._buffer = self._buffer.split(b"\n", 1)
                line = raw.decode()
                self.said.append(line)
                if text in line:
                    return line
            left = deadline - time.monotonic()
            ready = select.select([self.process.stdout], [], [], max(0.0, left))[0]
            data = os.read(self.process.stdout.fileno(), 65_536) if ready else b""
            assert data, f"never heard {text!r}, but {self.said}"
            self._buffer += data

    def process_id(self, name: str, other_than: int = 0) -> int:
        """The id that the script `name` wrote, once it differs from `other_than`."""
        file = self.folder / f"{name}.pid"
        until(lambda: file.exists() and int(file.read_text()) != other_than, f"a process {name}")
        return int(file.read_text())

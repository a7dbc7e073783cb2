"""The clients that put load on a server: C programs, compiled once into the user's cache, in processes of their own."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from benchmarks.own_python import cache_folder, say
from benchmarks.processes import ROOT

FULL = 0.9
"""With so much of a core used, a client may be what was measured."""
_SOURCES = Path(__file__).parent / "load"
_PATIENCE_SECONDS = 120
_END_SECONDS = 10


class Audience(Protocol):
    """Open feeds that can be asked to count."""

    seconds: float
    """How long it took to open them."""

    def begin(self, expected: int, quiet_ms: int, every: int) -> None:
        """Begins to count messages, until there were so many or none came for so long; reads the age of some."""

    def found(self) -> dict[str, Any]:
        """What was counted: count, seconds (first to last), busy (share of a core), p50_us, p99_us, max_us."""


class Feeds:
    """See Audience. Raises RuntimeError when a feed could not be opened."""

    def __init__(
        self, port: int, protocol: str, path: str, header: str, clients: int, sessions: int, at_once: int = 64
    ) -> None:
        command = [str(compiled("feeds")), str(port), protocol, path, str(clients), str(sessions)]
        command += [str(_PATIENCE_SECONDS), str(at_once), *([header] if header else [])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            opened = self.found()
            if opened["failed"]:
                raise RuntimeError(f"{opened['failed']} of {clients} feeds could not be opened on {path}")
        except BaseException:
            self.close()
            raise
        self.seconds = float(opened["seconds"])

    def begin(self, expected: int, quiet_ms: int, every: int) -> None:
        """See Audience."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{expected} {quiet_ms} {every}\n")
        self._process.stdin.flush()
        self.found()

    def found(self) -> dict[str, Any]:
        """See Audience."""
        return said_by(self._process)

    def close(self) -> None:
        """Ends the connections without a goodbye."""
        end(self._process)


class RawSubscriber:
    """redis-py in a process of its own in place of a server and its clients; see Audience."""

    def __init__(self, url: str, channel: str, sessions: int) -> None:
        command = [sys.executable, "-m", "benchmarks.relay_raw", url, channel, str(sessions)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.seconds = float(self.found()["seconds"])

    begin = Feeds.begin
    found = Feeds.found
    close = Feeds.close


@contextlib.contextmanager
def requests(
    port: int, path: str, seconds: float, at_once: int, pause_ms: float = 0
) -> Iterator[subprocess.Popen[str]]:
    """Plain requests meanwhile; `said_by` waits for what came of them."""
    command = [str(compiled("requests")), str(port), path, str(seconds), str(at_once), str(pause_ms)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        end(process)


def said_by(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line of a client. Raises RuntimeError when it has ended."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} has ended")
    found: dict[str, Any] = json.loads(line)
    return found


def end(process: subprocess.Popen[str]) -> None:
    """Kills a process and takes its pipes away."""
    process.kill()
    process.communicate(timeout=_END_SECONDS)


@functools.cache
def compiled(name: str) -> Path:
    """The program of `load/<name>.c`, compiled now if need be. Ends this command where there is no C compiler."""
    source = _SOURCES / f"{name}.c"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    found = cache_folder() / f"{name}-{digest}"
    if found.exists():
        return found
    if shutil.which("cc") is None:
        sys.exit("The load client is written in C and there is no cc: install a C compiler (Debian: gcc, libc6-dev).")
    found.parent.mkdir(parents=True, exist_ok=True)
    fresh = found.with_suffix(f".{os.getpid()}")
    say(f"Compiling {source.name} …")
    done = subprocess.run(["cc", "-O2", "-o", str(fresh), str(source)], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"The load client could not be compiled:\n{done.stderr}")
    fresh.rename(found)
    return found

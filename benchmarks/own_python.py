"""Pythons of their own for peers, so that Spanfeed's packages stay as they are: made once, kept in the user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_INSTALL_SECONDS = 300


def cache_folder() -> Path:
    """Where benchmarks keep what they need again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spanfeed-benchmarks"


def python_with(name: str, *packages: str) -> Path | None:
    """The Python that has the packages, installed now if need be; None, and one line that says why, without them.

    `name` tells them and their versions from others.
    """
    home = cache_folder() / f"{name}-python{sys.version_info.major}.{sys.version_info.minor}"
    python, mark = home / "bin" / "python", home / ".installed"
    if mark.exists() and python.exists():
        return python
    say(f"Installing {', '.join(packages)} into {home} (once) …")
    try:
        shutil.rmtree(home, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(home)])
        _run([str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *packages])
    except (OSError, subprocess.SubprocessError) as error:
        detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        say(f"{packages[0]} cannot be installed, so it is left out: {detail[-1] if detail else type(error).__name__}")
        return None
    mark.touch()
    return python


def say(line: str) -> None:
    """A line for who waits: not on standard output, which holds the figures."""
    print(line, file=sys.stderr, flush=True)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)

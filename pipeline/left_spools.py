"""Finding the spools that dead processes have left: those whose lock nobody holds."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.spool import Spool

_UNFINISHED_AGE_SECONDS = 60.0


def left_spools(folder: Path, limit_bytes: int, files_limit: int) -> Iterator[Spool]:
    """The spools that dead processes have left, oldest first, each locked while it is the current one."""
    _clear_unfinished(folder)
    for path in _by_age(folder):
        spool = Spool(folder, limit_bytes, files_limit)
        if not _take(path, spool):
            continue
        try:
            yield spool
        finally:
            spool.let_go()


def _take(path: Path, spool: Spool) -> bool:
    """Takes the file at `path` if its owner is dead and something waits in it."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its owner may have written it anew, or taken it away, between our opening and our lock.
        if os.fstat(file).st_ino != path.stat().st_ino:
            raise FileNotFoundError(path)
        spool.take_over(path.stem, file)
    except OSError:
        os.close(file)
        return False
    return spool.pending


def _by_age(folder: Path) -> list[Path]:
    aged: list[tuple[float, Path]] = []
    for path in folder.glob("*.spool"):
        with contextlib.suppress(OSError):
            aged.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(aged)]


def _clear_unfinished(folder: Path) -> None:
    """Takes away new files whose writers died over them."""
    for path in folder.glob("*.new"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _UNFINISHED_AGE_SECONDS:
                path.unlink()

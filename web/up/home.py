"""The home folder: private to its owner, used by one supervisor at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.settings import Settings
from web.up.failures import StartFailed

LOCK_WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.05


def prepare(settings: Settings) -> Path:
    """Make the home folder and its `logs`, readable by its owner alone; return its absolute path.

    Raises SettingError when the folder cannot be used.
    """
    path = settings.home_path
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Closing a folder such as /tmp to everyone else would break the machine.
        if path.stat().st_mode & stat.S_ISVTX or path == Path(path.anchor):
            raise SettingError(f"SPANFEED_HOME={path} is shared with others; choose a folder of its own")
        path.chmod(0o700)
        (path / "logs").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SettingError(f"SPANFEED_HOME={path} cannot be used: {error.strerror}") from None
    return path


@contextlib.contextmanager
def locked(home: Path, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[int]:
    """Hold the home folder for this process; gives the descriptor that holds it.

    After a supervisor was killed its guard holds the lock until the children are gone, so a dead
    holder is waited for, up to `wait_seconds`. Raises StartFailed when the folder stays taken.
    """
    descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, home, time.monotonic() + wait_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, home: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            if _alive(holder) or time.monotonic() > deadline:
                raise StartFailed(
                    f"Spanfeed is already running in {home} (process {holder or 'unknown'}); "
                    "end it first, or choose another folder: make run SPANFEED_HOME=…"
                ) from None
        time.sleep(_POLL_SECONDS)


def _alive(process_id: str) -> bool:
    if not process_id.isdigit():
        return False
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

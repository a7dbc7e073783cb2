"""What each process of a worker holds, in a file that the kernel unlocks when the process dies.

A lease shows a lost worker wherever it was, but only once it has run out. Where the watchdog sees the same folder as
the worker, the file's lock shows it at the next look. It is a shorter way and nothing more: where the folder is not
shared, or cannot be written, the lease decides.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.bus import Bus
from pipeline.errors import FenceLost
from pipeline.event import Reason
from tasks.celery import app
from tasks.envelope import Envelopes, pushes_directly
from tasks.failure import fail_run, progress_of_retry
from tasks.left_run import left_run

logger = logging.getLogger(__name__)
_READ_LIMIT_BYTES = 65_536


class Board:
    """This process's file. Raises OSError when it cannot be made."""

    def __init__(self, home: Path) -> None:
        folder = _folder(home)
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f".{uuid.uuid4().hex}"
        self._descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Only now has it a name that is looked at: a file without a lock would be taken for a dead process's.
        new.rename(folder / new.name[1:])

    def show(self, held: Iterable[tuple[str, str]]) -> None:
        """Writes what is held: pairs of a message's id and a token. What stands behind the empty line is old."""
        lines = "".join(f"{message_id} {token}\n" for message_id, token in held)
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, f"{lines}\n".encode(), 0)


def look_after_dead(bus: Bus, home: Path) -> int:
    """Gives back what processes of this machine held when they died; returns how many stages. Raises BusUnavailable."""
    done = 0
    for path, held in _left_behind(_folder(home)):
        for message_id, token in held:
            done += _give_back(bus, message_id, token)
        path.unlink(missing_ok=True)
    return done


def _folder(home: Path) -> Path:
    return home / "holders"


def _left_behind(folder: Path) -> Iterator[tuple[Path, list[tuple[str, str]]]]:
    """The files whose processes are no more, locked while they are looked after."""
    for path in folder.glob("[!.]*"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                text = file.read(_READ_LIMIT_BYTES).decode().partition("\n\n")[0]
                pairs = [line.partition(" ") for line in text.split("\n") if line]
                yield path, [(message_id, token) for message_id, _, token in pairs]
        except OSError:
            # It lives, or another watchdog was first.
            continue


def _give_back(bus: Bus, message_id: str, token: str) -> bool:
    run = left_run(bus, message_id)
    if run is None:
        return False
    session_id, stage, headers, audience = run.session_id, run.stage, run.headers, run.audience
    envelopes = Envelopes(app, pushes_directly())
    envelope = envelopes.seal(stage, session_id, message_id, headers)
    state = progress_of_retry(audience.language, "WorkerLostError", Reason.WORKER_LOST, 0, None)
    by = ("token", token)
    try:
        tries = bus.release(session_id, message_id, stage, by, state, 0, envelope.queue, envelope.body)
        if tries is None:
            fail_run(bus, audience, stage, by, Reason.WORKER_LOST, "WorkerLostError", None)
    except FenceLost:
        # The worker's main process lives and has seen to it, or the stage had ended.
        return False
    logger.warning("%s of %s was held by a process that died", stage, message_id)
    if tries and not envelope.body:
        envelopes.publish(envelope, stage, session_id, message_id, headers)
    return True

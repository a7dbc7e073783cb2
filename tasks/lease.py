"""The leases of the stages that this process holds, renewed by a thread that dies with the work."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable
from tasks.holders import Board

logger = logging.getLogger(__name__)


class Leases:
    """What this process holds. The thread is started with the first stage; it outlives a warm shutdown.

    What is held is noted in `home`, too, for a watchdog on this machine.
    """

    def __init__(self, bus: Bus, interval_seconds: float, home: Path) -> None:
        self._bus = bus
        self._interval_seconds = interval_seconds
        self._held: dict[str, tuple[str, threading.Event]] = {}
        self._lock = threading.Lock()
        """Guards the dictionary and the thread's making."""
        self._thread: threading.Thread | None = None
        self._board = _board(home)

    @contextlib.contextmanager
    def held(self, message_id: str, token: str) -> Iterator[threading.Event]:
        """Renews the stage's lease while the block runs; the event is set when the stage was taken away."""
        lost = threading.Event()
        with self._lock:
            self._held[token] = (message_id, lost)
            self._show()
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._thread.start()
        try:
            yield lost
        finally:
            with self._lock:
                self._held.pop(token, None)
                self._show()

    def _show(self) -> None:
        if self._board is not None:
            self._board.show((message_id, token) for token, (message_id, _) in self._held.items())

    def _renew(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._interval_seconds):
            with self._lock:
                held = list(self._held.items())
            for token, (message_id, lost) in held:
                try:
                    if not self._bus.renew(message_id, token):
                        lost.set()
                except BusUnavailable as error:
                    # The lease may run out meanwhile; whether it did, the next renewal or the end will tell.
                    logger.warning("a lease could not be renewed: %s", error)


def _board(home: Path) -> Board | None:
    try:
        return Board(home)
    except OSError as error:
        logger.warning("what this process holds cannot be noted: %s", error)
        return None

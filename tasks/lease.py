"""The leases of the stages that this process holds, renewed by a thread that dies with the work."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable

logger = logging.getLogger(__name__)


class Leases:
    """What this process holds. The thread is started with the first stage; it outlives a warm shutdown."""

    def __init__(self, bus: Bus, interval_seconds: float) -> None:
        self._bus = bus
        self._interval_seconds = interval_seconds
        self._held: dict[str, tuple[str, threading.Event]] = {}
        self._lock = threading.Lock()
        """Guards the dictionary and the thread's making."""
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def held(self, message_id: str, token: str) -> Iterator[threading.Event]:
        """Renews the stage's lease while the block runs; the event is set when the stage was taken away."""
        lost = threading.Event()
        with self._lock:
            self._held[token] = (message_id, lost)
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._thread.start()
        try:
            yield lost
        finally:
            with self._lock:
                self._held.pop(token, None)

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

"""The watchdog: looks after runs that are due, and after messages that were never sent. No Flask.

It runs beside the recorder, as a thread of its process; several are harmless, and none of them is needed while
everything goes well.
"""

from __future__ import annotations

import logging
import threading
import time

from pipeline.bus import Bus
from pipeline.emitter import Emitter
from pipeline.errors import BusUnavailable, StoreUnavailable
from pipeline.settings import Settings
from pipeline.store import Store
from tasks.chat import look_after_dead, look_after_due, look_after_unsent

logger = logging.getLogger(__name__)
_LONGEST_PAUSE_SECONDS = 2.0


class Watchdog:
    """One watchdog; `stop` ends it."""

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._settings = settings
        self._bus = bus
        self._emitter = Emitter(bus)
        self._store = store
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self.run, name="watchdog", daemon=True)
        self._unsent_at = 0.0

    def start(self) -> None:
        """Runs in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it after the look at hand."""
        self._stopped.set()

    def run(self) -> None:
        """Looks again and again; waits for Redis or the database when they are away."""
        pause = self._settings.watch_interval_seconds
        while not self._stopped.wait(pause):
            try:
                self.look()
                pause = self._settings.watch_interval_seconds
            except (BusUnavailable, StoreUnavailable) as error:
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                logger.warning("the watchdog waits %.1f s: %s", pause, error)
            except Exception:
                # A run that cannot be looked after must not keep the watchdog from the others.
                logger.exception("the watchdog stumbled")

    def look(self) -> None:
        """Looks once."""
        settings = self._settings
        look_after_dead(self._bus, settings.home_path)
        look_after_due(self._bus, settings.watch_batch_limit_runs)
        self._emitter.adopt()
        if time.monotonic() < self._unsent_at:
            return
        self._unsent_at = time.monotonic() + settings.queue_grace_seconds
        if self._bus.log.backlog() == 0:
            # Only now the database knows all that a message has told.
            look_after_unsent(self._bus, self._store, settings.queue_grace_seconds, settings.watch_batch_limit_runs)

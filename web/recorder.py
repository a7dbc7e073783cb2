"""The recorder: reads the log as a consumer group and stores it in batches. No Flask.

A batch is at most 1,000 events or 50 ms; it is committed, then acknowledged, then the log is trimmed below the
lowest entry that is not stored. A crash in between gives entries again; storing an event twice changes nothing.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence

from pipeline.bus import Bus
from pipeline.bus.log import Entry
from pipeline.errors import BusUnavailable, StoreUnavailable
from pipeline.failpoints import Failpoints
from pipeline.settings import Settings
from pipeline.store import Store
from pipeline.store.recording import record
from pipeline.trace_export import TraceExport
from web.watchdog import Watchdog

logger = logging.getLogger(__name__)
_IDLE_READ_MS = 1_000
_CLAIM_IDLE_MS = 10_000
_CLAIM_EVERY_SECONDS = 5.0
_TRIM_EVERY_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class Recorder:
    """One consumer of the log; several may run beside each other."""

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._settings = settings
        self._bus = bus
        self._store = store
        self._consumer = f"{socket.gethostname()}/{os.getpid()}"
        self._failpoints = Failpoints(settings.failpoints)
        self._traces = TraceExport(settings)
        self._stopped = threading.Event()
        self._claim_at = self._trim_at = 0.0

    def stop(self) -> None:
        """Ends `run` after the batch at hand."""
        self._stopped.set()

    def run(self) -> None:
        """Stores what comes, until `stop`; waits for Redis or the database when they are away."""
        try:
            self._loop()
        finally:
            self._traces.close()

    def _loop(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        unstored: list[Entry] = []
        while not self._stopped.is_set():
            try:
                unstored = unstored or self._gather()
                self._store_batch(unstored)
                unstored = []
                self._tidy()
                pause = _FIRST_PAUSE_SECONDS
            except (BusUnavailable, StoreUnavailable) as error:
                logger.warning("the recorder waits %.1f s: %s", pause, error)
                self._stopped.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def run_until_empty(self) -> int:
        """Stores all that is in the log now and returns how many entries; for commands and tests."""
        total = 0
        while batch := self._bus.log.read_new(self._consumer, self._settings.recorder_batch_limit_events, 0):
            self._store_batch(batch)
            total += len(batch)
        return total

    def _gather(self) -> list[Entry]:
        """The next batch: what was left by a consumer that died, or what is new, gathered for a moment."""
        limit = self._settings.recorder_batch_limit_events
        if time.monotonic() >= self._claim_at:
            self._claim_at = time.monotonic() + _CLAIM_EVERY_SECONDS
            self._bus.log.join()
            left = self._bus.log.claim(self._consumer, _CLAIM_IDLE_MS, limit)
            if left:
                return left
        batch = self._bus.log.read_new(self._consumer, limit, _IDLE_READ_MS)
        if batch and len(batch) < limit:
            self._stopped.wait(self._settings.recorder_batch_wait_ms / 1000)
            batch += self._bus.log.read_new(self._consumer, limit - len(batch), 0)
        return batch

    def _store_batch(self, batch: Sequence[Entry]) -> None:
        if not batch:
            return
        recorded = record(self._store, [(e.entry_id, e.wire) for e in batch], self._partial_answer)
        if recorded.buried:
            logger.error("%d entries could not be stored and lie with the dead letters", recorded.buried)
        self._traces.tell(recorded.rows)
        self._failpoints.reach("recorder.committed")
        self._bus.log.acknowledge(list(batch))

    def _partial_answer(self, message_id: str) -> str:
        return self._bus.run_state(message_id).answer

    def _tidy(self) -> None:
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + _TRIM_EVERY_SECONDS
            self._bus.log.trim()


def run_until_signal(settings: Settings, bus: Bus, store: Store) -> None:
    """Runs a recorder, and a watchdog beside it, until SIGTERM or SIGINT."""
    recorder = Recorder(settings, bus, store)
    watchdog = Watchdog(settings, bus, store)
    watchdog.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: recorder.stop())
    logger.info("recording")
    try:
        recorder.run()
    finally:
        watchdog.stop()

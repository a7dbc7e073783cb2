"""The recorder: reads the log as a consumer group and stores it in batches. No Flask.

A batch is at most 1,000 events, 16 MiB or 50 ms; it is committed, then acknowledged, then the log is trimmed below the
lowest entry that is not stored. A crash in between gives entries again; storing an event twice changes nothing.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
import time

from pipeline.bus import Bus, keys
from pipeline.bus.log import Entry
from pipeline.errors import BusUnavailable, StoreUnavailable
from pipeline.failpoints import Failpoints
from pipeline.settings import Settings
from pipeline.store import Store
from pipeline.store.recording import Batch, read, store_batch
from pipeline.trace_export import TraceExport
from web.backlog_alarm import BacklogAlarm
from web.epoch import EpochWatch
from web.log_alarms import LogAlarms
from web.monitoring import Monitor
from web.read_ahead import Ahead, ReadAhead
from web.recorder_batch import Batches
from web.watchdog import Watchdog

logger = logging.getLogger(__name__)
_TRIM_EVERY_SECONDS = 1.0
_PRESENT_EVERY_SECONDS = 2.0
_COLLECT_EVERY_OBJECTS = 50_000
_IDLE_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class Recorder:
    """One consumer of the log; several may run beside each other."""

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._database = store
        self._name = f"{socket.gethostname()}/{os.getpid()}"
        self._batches = Batches(settings, bus.log, self._name)
        self._alarm = BacklogAlarm(settings, bus)
        self._log_alarms = LogAlarms(settings, bus)
        self._epoch = EpochWatch(bus, store)
        self._failpoints = Failpoints(settings.failpoints)
        self._traces = TraceExport(settings)
        self._stopped = threading.Event()
        self._trim_at = self._present_at = 0.0
        self.stored = 0
        """How many entries this recorder has stored and acknowledged."""

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
        ahead = ReadAhead(
            lambda: self._batches.gather(self._stopped), self._take_apart, self._epoch.check, self._stopped
        )
        ahead.start()
        unstored: Ahead | None = None
        database_away = False
        while not self._stopped.is_set():
            try:
                self._say_present()
                self._alarm.look(database_away)
                self._log_alarms.look()
                self._epoch.look()
                unstored = unstored or ahead.take(_IDLE_SECONDS)
                self._store(unstored)
                unstored, database_away = None, False
                self._tidy()
                pause = _FIRST_PAUSE_SECONDS
            except (BusUnavailable, StoreUnavailable) as error:
                database_away = isinstance(error, StoreUnavailable)
                logger.warning("the recorder waits %.1f s: %s", pause, error)
                self._stopped.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        self._store_last(unstored, ahead.finish())

    def _store_last(self, *read: Ahead | None) -> None:
        try:
            for ahead in read:
                self._store(ahead)
        except (BusUnavailable, StoreUnavailable) as error:
            logger.warning("what is not stored is left to the next recorder: %s", error)

    def run_until_empty(self) -> int:
        """Stores all that is in the log now and returns how many entries; for commands and tests."""
        total = 0
        while entries := self._batches.ready():
            self._store(Ahead(self._take_apart(entries), looked=False))
            total += len(entries)
        return total

    def _take_apart(self, entries: list[Entry]) -> Batch:
        return read(self._database.dialect, entries)

    def _store(self, ahead: Ahead | None) -> None:
        if ahead is None:
            return
        batch = ahead.batch
        self._failpoints.reach("recorder.gathered")
        if self._failpoints.armed("recorder.acknowledge_first"):
            self._bus.log.acknowledge(batch.entry_ids)
        if not ahead.looked:
            self._epoch.check()
        recorded = store_batch(self._database, batch, self._partial_answer)
        if recorded.buried:
            logger.error("%d entries could not be stored and lie with the dead letters", recorded.buried)
        self._traces.tell(recorded.rows)
        self._failpoints.reach("recorder.committed")
        self._epoch.mark(batch.newest_id)
        self._bus.log.acknowledge(batch.entry_ids)
        self.stored += len(batch.entry_ids)

    def _say_present(self) -> None:
        if time.monotonic() >= self._present_at:
            self._present_at = time.monotonic() + _PRESENT_EVERY_SECONDS
            self._bus.say_present(self._name, keys.RECORDING)

    def _partial_answer(self, message_id: str) -> str:
        return self._bus.run_state(message_id).answer

    def _tidy(self) -> None:
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + _TRIM_EVERY_SECONDS
            self._bus.log.trim()


def calm_collector() -> None:
    """Lets Python look for garbage in cycles less often: a batch makes many objects, and none of them is such.

    Of a recorder's time 20 % went into looking (measured).
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY_OBJECTS, 20, 20)


def run_until_signal(settings: Settings, bus: Bus, store: Store) -> None:
    """Runs a recorder, with a watchdog and a monitor beside it, until SIGTERM or SIGINT."""
    recorder = Recorder(settings, bus, store)
    watchdog = Watchdog(settings, bus, store)
    monitor = Monitor(settings, bus)
    watchdog.start()
    monitor.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: recorder.stop())
    calm_collector()
    logger.info("recording")
    try:
        recorder.run()
    finally:
        watchdog.stop()
        monitor.stop()

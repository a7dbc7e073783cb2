"""What the recorder stores in one transaction: gathered for a moment, bounded by count and by bytes. No Flask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pipeline.bus.log import Entry, Log
from pipeline.errors import BusUnavailable
from pipeline.settings import Settings

_IDLE_READ_MS = 1_000
_CLAIM_IDLE_MS = 10_000
_CLAIM_EVERY_SECONDS = 5.0
_CAREFUL_ENTRIES = 16
"""Read at once where events may be as large as they come: 16 are 17 MiB; 1,000 would be more than a gibibyte."""


class Batches:
    """Gives one consumer of the log its batches.

    Redis cannot be asked for so many bytes, only for so many entries. The log remembers where its newest large event
    lies, so behind that place as many are read at once as a transaction may have, and before it only a few.
    """

    def __init__(self, settings: Settings, log: Log, consumer: str, claim_idle_ms: int = _CLAIM_IDLE_MS) -> None:
        self._limit = settings.recorder_batch_limit_events
        self._limit_bytes = settings.recorder_batch_limit_bytes
        self._wait_seconds = settings.recorder_batch_wait_ms / 1000
        self._log = log
        self._consumer = consumer
        self._claim_idle_ms = claim_idle_ms
        self._claim_at = 0.0
        self._position = 0
        """The newest id that this consumer was given: large events up to there are behind it."""

    def gather(self, stopped: threading.Event) -> list[Entry]:
        """The next batch: what was left by a consumer that died, or what is new. Raises BusUnavailable."""
        if time.monotonic() >= self._claim_at:
            self._claim_at = time.monotonic() + _CLAIM_EVERY_SECONDS
            self._log.join()
            left = self._filled([], lambda count: self._log.claim(self._consumer, self._claim_idle_ms, count))
            if left:
                return left
        batch = self._log.read_new(self._consumer, self._step(self._limit), _IDLE_READ_MS)
        if batch and self._room(batch) > 0:
            batch = self.ready(batch)
            if self._room(batch) > 0:
                stopped.wait(self._wait_seconds)
                batch = self.ready(batch)
        return batch

    def ready(self, batch: list[Entry] | None = None) -> list[Entry]:
        """`batch` and what is new at this moment, without waiting. Raises BusUnavailable when that is nothing."""
        return self._filled(batch or [], lambda count: self._log.read_new(self._consumer, count, 0))

    def _filled(self, batch: list[Entry], read: Callable[[int], list[Entry]]) -> list[Entry]:
        while (room := self._room(batch)) > 0:
            try:
                step = self._step(room)
                found = read(step)
            except BusUnavailable:
                # What was read must be stored: nobody else is given it before it has been left for a while.
                if batch:
                    break
                raise
            batch = batch + found
            if len(found) < step:
                break
        return batch

    def _room(self, batch: list[Entry]) -> int:
        """How many entries more a transaction may have."""
        if batch:
            self._position = max(self._position, int(batch[-1].entry_id.partition("-")[0]))
        taken_bytes = sum(len(entry.wire) for entry in batch if entry.wire is not None)
        return 0 if taken_bytes >= self._limit_bytes else self._limit - len(batch)

    def _step(self, room: int) -> int:
        return room if self._log.newest_large() <= self._position else min(room, _CAREFUL_ENTRIES)

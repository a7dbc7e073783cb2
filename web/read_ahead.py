"""Reading the next batch while the one before is stored: the recorder waits for Redis and the database at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from pipeline.bus.log import Entry
from pipeline.errors import BusUnavailable, StoreUnavailable
from pipeline.store.recording import Batch

_PUT_SECONDS = 5.0


class Ahead(NamedTuple):
    """A batch, and whether `look` has worked since it was read."""

    batch: Batch
    looked: bool


class ReadAhead:
    """A thread that gathers one batch ahead, never more: two batches are what a recorder holds in memory.

    `look` is called once for each batch, after it was read and before it is given.
    """

    def __init__(
        self,
        gather: Callable[[], list[Entry]],
        read: Callable[[list[Entry]], Batch],
        look: Callable[[], None],
        stopped: threading.Event,
    ) -> None:
        self._gather = gather
        self._take_apart = read
        self._look = look
        self._stopped = stopped
        self._read: queue.Queue[Ahead | Exception] = queue.Queue(maxsize=1)
        # Released when a batch was taken: only then the next one is gathered.
        self._wanted = threading.Semaphore(1)
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def take(self, wait_seconds: float) -> Ahead | None:
        """The next batch, None when there is none within `wait_seconds`. Raises what gathering raised."""
        try:
            found = self._read.get(timeout=wait_seconds)
        except queue.Empty:
            return None
        self._wanted.release()
        if isinstance(found, Exception):
            raise found
        return found

    def finish(self) -> Ahead | None:
        """Waits until the thread has ended, once it was told to stop; gives the batch that nobody took."""
        self._thread.join()
        try:
            found = self._read.get_nowait()
        except queue.Empty:
            return None
        return None if isinstance(found, Exception) else found

    def _run(self) -> None:
        while not self._stopped.is_set():
            if not self._wanted.acquire(timeout=0.2):
                continue
            found: Ahead | Exception | None
            try:
                entries = self._gather()
                found = Ahead(self._take_apart(entries), self._looked()) if entries else None
            except Exception as error:  # noqa: BLE001 - the recorder's own thread judges it
                found = error
            if found is None:
                self._wanted.release()
            else:
                self._read.put(found, timeout=_PUT_SECONDS)

    def _looked(self) -> bool:
        try:
            self._look()
        except (BusUnavailable, StoreUnavailable):
            # What was read must not be lost for that: whoever stores it looks again.
            return False
        return True

"""The stored keys that have opened the feeds of a process's threads: one thread beside them asks for all at once."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator

from pipeline.errors import StoreUnavailable

logger = logging.getLogger(__name__)
_LEAST_SECONDS = 0.05


class Watched:
    """One feed: its thread says which `key_ids` it ends with, and finds in `ended` which of them open nothing more."""

    __slots__ = ("ended", "key_ids", "wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.key_ids: frozenset[str] = frozenset()
        self.ended: frozenset[str] = frozenset()


class KeyWatch:
    """Looks after all feeds of one process, while there are some. `find_ended` may raise StoreUnavailable."""

    def __init__(self, find_ended: Callable[[Collection[str]], frozenset[str]], every_seconds: float) -> None:
        self._find_ended = find_ended
        self._every_seconds = max(_LEAST_SECONDS, every_seconds)
        self._lock = threading.Lock()
        """Guards the set of feeds and the thread; never held while the database is asked."""
        self._feeds: dict[Watched, None] = {}
        self._came = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._unknown = False

    @contextlib.contextmanager
    def watching(self, wake: Callable[[], None]) -> Iterator[Watched]:
        """Looks after a feed; `wake`, which must not wait, is called when a key of it has ended."""
        watched = Watched(wake)
        with self._lock:
            self._feeds[watched] = None
            self._start()
        self._came.set()
        try:
            yield watched
        finally:
            # Under the lock, so that nobody is woken who is gone.
            with self._lock:
                self._feeds.pop(watched, None)

    def _start(self) -> None:
        if self._thread is None or self._pid != os.getpid() or not self._thread.is_alive():
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._watch, name="key-watch", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            if not self._feeds:
                self._came.wait()
            self._came.clear()
            try:
                self._look()
            except Exception:
                logger.exception("it could not be found out which keys have ended")
            pause.wait(self._every_seconds)

    def _look(self) -> None:
        with self._lock:
            wanted = frozenset[str]().union(*(watched.key_ids for watched in self._feeds))
        try:
            ended = self._find_ended(wanted) if wanted else frozenset()
        except StoreUnavailable:
            if not self._unknown:
                logger.warning("nobody can tell whether keys were revoked: the feeds that they have opened go on")
            self._unknown = True
            return
        self._unknown = False
        with self._lock:
            for watched in self._feeds:
                if ended & watched.key_ids:
                    watched.ended = ended
                    watched.wake()

"""Pages that many clients ask for: each is read once and kept while its session's mark is the same."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

_PATIENCE_SECONDS = 2.0
"""So long a client waits for the page that another is reading; then it reads for itself."""


class Kept(Protocol):
    """What can be kept."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def lasts(self) -> bool:
        """Whether it stays true as long as the mark; what was read while Redis was away does not."""


P = TypeVar("P", bound=Kept)


class _Reading(Generic[P]):
    """A page that is being read."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.page: P | None = None


class PageCache(Generic[P]):
    """Bounded by entries and bytes, the longest unused goes first. Used by many threads.

    A mark, not time, says whether a page is still true. The age is bounded all the same: what retention deletes leaves
    no mark.
    """

    def __init__(self, limit_entries: int, limit_bytes: int, limit_seconds: float) -> None:
        self._limits = limit_entries, limit_bytes, limit_seconds
        self._lock = threading.Lock()
        """Keeps the pages and their size in step; never held while a page is read."""
        self._pages: collections.OrderedDict[Hashable, tuple[str, float, P]] = collections.OrderedDict()
        self._readings: dict[tuple[Hashable, str], _Reading[P]] = {}
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes of all pages."""
        return self._size

    def __len__(self) -> int:
        return len(self._pages)

    def give(self, key: Hashable, mark: str, read: Callable[[], P]) -> P:
        """The page of that key, read by `read` (whose errors go on to the caller) if it is not there.

        `mark` must have been read from Redis by the caller just now.
        """
        with self._lock:
            kept = self._pages.get(key)
            if kept is not None and kept[0] == mark and time.monotonic() < kept[1]:
                self._pages.move_to_end(key)
                return kept[2]
            reading = self._readings.get((key, mark))
            if reading is None:
                mine = self._readings[key, mark] = _Reading()
        if reading is None:
            return self._read(key, mark, mine, read)
        reading.over.wait(_PATIENCE_SECONDS)
        return read() if reading.page is None else reading.page

    def _read(self, key: Hashable, mark: str, reading: _Reading[P], read: Callable[[], P]) -> P:
        until = time.monotonic() + self._limits[2]
        try:
            page = reading.page = read()
        finally:
            with self._lock:
                del self._readings[key, mark]
            reading.over.set()
        if page.lasts and page.size <= self._limits[1] and time.monotonic() < until:
            self._keep(key, (mark, until, page))
        return page

    def _keep(self, key: Hashable, kept: tuple[str, float, P]) -> None:
        with self._lock:
            before = self._pages.pop(key, None)
            self._size += kept[2].size - (before[2].size if before else 0)
            self._pages[key] = kept
            while len(self._pages) > self._limits[0] or self._size > self._limits[1]:
                _, (_, _, gone) = self._pages.popitem(last=False)
                self._size -= gone.size

"""What a process has counted about its feeds: why they were closed or refused, and what was not understood."""

from __future__ import annotations

import collections
import logging
import threading

logger = logging.getLogger(__name__)
SAID_EVERY_SECONDS = 60.0


class Tally:
    """Counts by name; used by all threads that serve feeds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Keeps the counts right between the threads, and what was said of them."""
        self._counts: collections.Counter[str] = collections.Counter()
        self._said: dict[str, int] = {}
        self._said_at = 0.0

    def count(self, name: str) -> None:
        """One more."""
        with self._lock:
            self._counts[name] += 1

    def __getitem__(self, name: str) -> int:
        with self._lock:
            return self._counts[name]

    def say(self, now: float) -> None:
        """Writes the counts into the log, once a minute, if there is news."""
        with self._lock:
            if now - self._said_at < SAID_EVERY_SECONDS or self._counts == self._said:
                return
            self._said, self._said_at = dict(self._counts), now
        logger.info("feeds: %s", ", ".join(f"{name} {count}" for name, count in sorted(self._said.items())))


tally = Tally()
"""This process's counts."""

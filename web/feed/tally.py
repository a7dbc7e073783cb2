"""What a process has counted about its feeds: what was sent, why they were closed or refused, what was not understood.

A name may have a label behind a colon (`closed:1012`); `web.metrics` has the list of them.
"""

from __future__ import annotations

import collections
import logging
import threading
from typing import Any

from web.feed.flow import Flow

logger = logging.getLogger(__name__)
SAID_EVERY_SECONDS = 60.0
_SAID = ("closed:", "half_open", "not_understood")
"""What stands in the log, too."""


class Tally:
    """Counts by name; used by all threads that serve feeds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Keeps the counts right between the threads, and what was said of them."""
        self._counts: collections.Counter[str] = collections.Counter()
        self._said: dict[str, int] = {}
        self._said_at = 0.0
        self._flow = Flow()
        """Of the threads, under the lock."""
        self.loop = Flow()
        """Of a relay's loop alone."""

    def count(self, name: str, amount: int = 1) -> None:
        """More of it, one mostly."""
        with self._lock:
            self._counts[name] += amount

    def told(self, deliveries: int, size_bytes: int, event_id: int, clients: int) -> None:
        """As `Flow.told`, by any thread."""
        with self._lock:
            self._flow.told(deliveries, size_bytes, event_id, clients)
            self._flow.look_at_the_clock()

    def __getitem__(self, name: str) -> int:
        with self._lock:
            return self._counts[name]

    @property
    def figures(self) -> dict[str, Any]:
        """All counts, and how long events took."""
        flows = (self._flow, self.loop)
        with self._lock:
            counts = dict(self._counts)
            counts["delivered"] = sum(flow.deliveries for flow in flows)
            counts["bytes"] = sum(flow.size_bytes for flow in flows)
            classes = [sum(pair) for pair in zip(*(flow.classes for flow in flows), strict=True)]
            seconds = sum(flow.seconds for flow in flows)
        return {"counts": counts, "latencies": {"emit_to_socket": {"counts": classes, "sum": seconds}}}

    def say(self, now: float) -> None:
        """Writes why feeds were closed and the like into the log, once a minute, if there is news."""
        if now - self._said_at < SAID_EVERY_SECONDS:
            return
        with self._lock:
            found = {name: count for name, count in self._counts.items() if name.startswith(_SAID)}
            if found == self._said:
                return
            self._said, self._said_at = found, now
        logger.info("feeds: %s", ", ".join(f"{name} {count}" for name, count in sorted(self._said.items())))


tally = Tally()
"""This process's counts."""

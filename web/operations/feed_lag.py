"""How long events took lately until they were given to clients, from counts that only grow. No Flask."""

from __future__ import annotations

import collections
import threading
from collections.abc import Sequence
from typing import Any

from pipeline.store.duration_classes import percentile_ms
from web.feed.latency import BOUNDS_SECONDS

_BOUNDS_MS = tuple(seconds * 1000 for seconds in BOUNDS_SECONDS)
_WINDOW_SECONDS = 60.0
_APART_SECONDS = 5.0
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class FeedLag:
    """Remembers what was counted in the last minute. Used by all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Keeps the memory in the order of time."""
        self._known: collections.deque[tuple[float, list[int]]] = collections.deque()

    def look(self, processes: Sequence[dict[str, Any]], now: float) -> dict[str, float | None] | None:
        """The percentiles in ms of about the last minute, by what all processes have counted at the moment `now`.

        The first look tells of all that was counted. None when nothing was delivered.
        """
        classes = [process["latencies"]["emit_to_socket"]["counts"] for process in processes]
        counts = [sum(column) for column in zip(*classes, strict=True)]
        with self._lock:
            # A process that began anew counts from zero: what was remembered is worth nothing then.
            if self._known and any(one < before for one, before in zip(counts, self._known[-1][1], strict=True)):
                self._known.clear()
            while len(self._known) > 1 and now - self._known[1][0] >= _WINDOW_SECONDS:
                self._known.popleft()
            before = self._known[0][1] if self._known else [0] * len(counts)
            if not self._known or now - self._known[-1][0] >= _APART_SECONDS:
                self._known.append((now, counts))
        lately = {
            number: one - then for number, (one, then) in enumerate(zip(counts, before, strict=True)) if one > then
        }
        if not lately:
            return None
        return {name: percentile_ms(lately, share, _BOUNDS_MS) for name, share in SHARES.items()}

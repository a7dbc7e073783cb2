"""How long something took, counted in classes, as a histogram has it."""

from __future__ import annotations

import bisect
import threading

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Latency:
    """Counts; used by all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Keeps counts and sum in step."""
        self._counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self._sum_seconds = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """Counts that something took so long, so many times."""
        place = bisect.bisect_left(BOUNDS_SECONDS, seconds)
        with self._lock:
            self._counts[place] += times
            self._sum_seconds += seconds * times

    @property
    def figures(self) -> dict[str, object]:
        """Counts by class, the last one beyond all bounds, and the sum in seconds."""
        with self._lock:
            return {"counts": list(self._counts), "sum": self._sum_seconds}

"""What this process has emitted, by category, type and priority."""

from __future__ import annotations

import threading
from typing import Any

from pipeline.event import Category, Priority
from pipeline.unified.event import UnifiedEvent

_TYPES_LIMIT = 1_000
_OTHER = "other"
"""Under this word the types are counted that come after a thousand."""


class Counts:
    """The counters of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Counts anew, with a lock of its own: also for a forked child."""
        self._lock = threading.Lock()
        self._totals = dict.fromkeys(("emitted", "processed", "errors"), 0)
        self._categories = dict.fromkeys(map(str, Category), 0)
        self._priorities = dict.fromkeys(map(str, Priority), 0)
        self._types: dict[str, int] = {}

    def emitted(self, event: UnifiedEvent) -> None:
        """One more was emitted and routed."""
        with self._lock:
            self._totals["emitted"] += 1
            self._totals["processed"] += 1
            self._categories[str(event.category)] += 1
            self._priorities[str(event.priority)] += 1
            known = event.event_type in self._types or len(self._types) < _TYPES_LIMIT
            name = event.event_type if known else _OTHER
            self._types[name] = self._types.get(name, 0) + 1

    def failed(self) -> None:
        """One could not be emitted."""
        with self._lock:
            self._totals["errors"] += 1

    def told(self) -> dict[str, Any]:
        """All of them, as the second seed names them; zeroes for what has not happened."""
        with self._lock:
            return {
                **self._totals,
                "by_category": dict(self._categories),
                "by_type": dict(self._types),
                "by_priority": dict(self._priorities),
            }

"""What all processes together have emitted, as the record tells it, in the words of the second seed."""

from __future__ import annotations

import collections
from typing import Any

from pipeline.bus import Bus
from pipeline.errors import SpanfeedError
from pipeline.event import Category, Priority
from pipeline.store import Store, totals

_TYPES_LIMIT = 1_000
_OTHER = "other"
"""Under this word the types are counted that come after a thousand."""


def of_all_processes(bus: Bus, store: Store) -> dict[str, Any]:
    """Emitted (stored, or waiting in the log), processed (stored), errors (dead letters), and by what they are.

    Zeroes for what has not happened. Raises StoreUnavailable; without Redis what waits there is not counted.
    """
    found, dead = totals.in_all(store)
    categories = collections.Counter({str(category): 0 for category in Category})
    priorities = collections.Counter({str(priority): 0 for priority in Priority})
    types: collections.Counter[str] = collections.Counter()
    for one in found:
        categories[one.category] += one.events
        priorities[one.priority] += one.events
        known = one.event_type in types or len(types) < _TYPES_LIMIT
        types[one.event_type if known else _OTHER] += one.events
    stored = sum(one.events for one in found)
    try:
        waiting = bus.log.backlog()
    except SpanfeedError:
        waiting = 0
    return {
        "emitted": stored + waiting,
        "processed": stored,
        "errors": dead,
        "by_category": dict(categories),
        "by_type": dict(types),
        "by_priority": dict(priorities),
    }

"""What an administrator's page shows of events and streams, in the words of the second seed. No Flask."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Sequence
from typing import Any

from pipeline.store import Store, totals
from pipeline.unified import EventSystem

_WINDOW_SECONDS = 60
_TRANSPORTS = ("ws", "sse", "unified", "operators")


def gathered(events: EventSystem, store: Store, processes: Sequence[dict[str, Any]], asker: str) -> dict[str, Any]:
    """All of it. `processes` are the figures of web processes and relays. Raises StoreUnavailable."""
    told = events.get_stats()
    lately = totals.lately(store, datetime.datetime.now(datetime.UTC))
    by_type: dict[str, int] = told["by_type"]
    return {
        **_connections(processes, asker),
        "total_events_sent": sum(process["counts"].get("delivered", 0) for process in processes),
        "events_per_second": round(lately.minute / _WINDOW_SECONDS, 3),
        "total_events": told["emitted"],
        "events_last_hour": lately.hour,
        "events_last_day": lately.day,
        "most_common_type": max(by_type, key=lambda name: by_type[name], default=None),
        **told,
    }


def _connections(processes: Sequence[dict[str, Any]], asker: str) -> dict[str, Any]:
    streams = [process["streams"] for process in processes if "streams" in process]
    by_user: collections.Counter[str] = collections.Counter()
    for one in streams:
        by_user.update(one["by_user"])
    users, operators = (sum(one[name] for one in streams) for name in ("users", "operators"))
    return {
        "total_connections": users + operators,
        "active_connections": users + operators,
        "your_connections": by_user[asker],
        "user_connections": users,
        "connections_by_user": dict(by_user.most_common()),
        "open_feeds": open_feeds(processes),
    }


def open_feeds(processes: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The feeds that are open, by transport."""
    return {
        name: sum(p["counts"].get(f"opened:{name}", 0) - p["counts"].get(f"ended:{name}", 0) for p in processes)
        for name in _TRANSPORTS
    }

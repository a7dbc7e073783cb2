"""Which feeds this process serves: how many by transport, and whose, where they go across sessions. No I/O."""

from __future__ import annotations

import collections
import threading
from typing import Any

from web.feed.tally import tally
from web.feed.wish import Scope, Wish

_TOLD_LIMIT_BYTES = 16_384
"""So much is told to another process, whose message has an end."""


class Presence:
    """Counts by user; used by all threads that serve feeds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Keeps the counts right between the threads."""
        self._users: collections.Counter[str] = collections.Counter()
        self._operators: collections.Counter[str] = collections.Counter()

    def come(self, wish: Wish) -> None:
        """A feed has begun."""
        tally.count(f"opened:{wish.transport}")
        self._add(wish, 1)

    def go(self, wish: Wish) -> None:
        """It has ended."""
        tally.count(f"ended:{wish.transport}")
        self._add(wish, -1)

    def _add(self, wish: Wish, step: int) -> None:
        if wish.scope is Scope.SESSION:
            return
        counts = self._users if wish.scope is Scope.USER else self._operators
        with self._lock:
            counts[wish.user_id] += step
            if not counts[wish.user_id]:
                del counts[wish.user_id]

    @property
    def figures(self) -> dict[str, Any]:
        """How many feeds there are, and by whom: those with the most of them, as many as fit into a message."""
        with self._lock:
            users, operators = self._users.copy(), self._operators.copy()
        by_user, size = {}, 0
        for name, count in (users + operators).most_common():
            size += len(name.encode()) * 2 + 16
            if size > _TOLD_LIMIT_BYTES:
                break
            by_user[name] = count
        return {"users": users.total(), "operators": operators.total(), "by_user": by_user}


presence = Presence()
"""This process's."""

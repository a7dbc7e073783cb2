"""How many feeds a relay serves or has promised to, in all and by session."""

from __future__ import annotations

import collections

from web.relay import orders


class Seats:
    """Places; used by the loop alone."""

    def __init__(self, limit: int, session_limit: int) -> None:
        self._limit = limit
        self._session_limit = session_limit
        self._by_session: collections.Counter[str] = collections.Counter()
        self.taken = 0

    def take(self, session_id: str) -> bytes:
        """Takes a place; what is answered says whether there was one."""
        if self._by_session[session_id] >= self._session_limit:
            return orders.SESSION_IS_FULL
        if self.taken >= self._limit:
            # The question itself has left a zero behind.
            self._forget(session_id)
            return orders.RELAY_IS_FULL
        self._by_session[session_id] += 1
        self.taken += 1
        return orders.YES

    def give_back(self, session_id: str) -> None:
        """Returns a place."""
        self._by_session[session_id] -= 1
        self.taken -= 1
        self._forget(session_id)

    def _forget(self, session_id: str) -> None:
        if not self._by_session[session_id]:
            del self._by_session[session_id]

"""How many feeds a process serves or has promised to: in all, by session, by user, by address."""

from __future__ import annotations

import collections
import dataclasses
import enum
import threading

from pipeline.settings import Settings


class Full(enum.StrEnum):
    """What there is no place in."""

    SESSION = "session"
    USER = "user"
    ADDRESS = "address"
    PROCESS = "process"


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """For whom a place is asked: a session, an end user and an address (empty: not counted), a transport's name."""

    session_id: str
    user: str
    address: str
    kind: str


class Seats:
    """Places. A relay's loop uses them alone, a web process's threads together."""

    def __init__(self, settings: Settings, limit: int) -> None:
        self._lock = threading.Lock()
        """Keeps the counts right between the threads of a web server."""
        self._limit = limit
        self._session_limit = settings.feed_sockets_per_session_limit
        self._address_limit = settings.feed_sockets_per_address_limit
        self._user_limits = {
            "ws": settings.feed_sockets_per_user_limit,
            "sse": settings.feed_streams_per_user_limit,
            "unified": settings.feed_streams_per_user_limit,
            "operators": settings.feed_streams_per_user_limit,
        }
        self._counts: collections.Counter[tuple[str, ...]] = collections.Counter()
        self.taken = 0

    def take(self, claim: Claim) -> Full | None:
        """Takes a place, or says what is full. Raises KeyError for a transport that there is not."""
        limits = self._limits(claim)
        with self._lock:
            for key, (full, limit) in limits.items():
                # Not by a plain look, which leaves a zero behind.
                if self._counts.get(key, 0) >= limit:
                    return full
            if self.taken >= self._limit:
                return Full.PROCESS
            self._counts.update(limits.keys())
            self.taken += 1
        return None

    def move_in(self, claim: Claim) -> None:
        """Counts a feed that has a place elsewhere already; limits are not asked. Raises KeyError as `take`."""
        with self._lock:
            self._counts.update(self._limits(claim).keys())
            self.taken += 1

    def join_anyway(self, session_id: str) -> None:
        """Counts it for a further session that it follows already."""
        with self._lock:
            self._counts["session", session_id] += 1

    def give_back(self, claim: Claim) -> None:
        """Returns a place."""
        with self._lock:
            self.taken -= 1
            for key in self._limits(claim):
                self._less(key)

    def join(self, session_id: str) -> bool:
        """Counts a feed, which has its place, for a further session; False when that has too many."""
        key = ("session", session_id)
        with self._lock:
            if self._counts.get(key, 0) >= self._session_limit:
                return False
            self._counts[key] += 1
        return True

    def leave(self, session_id: str) -> None:
        """Counts it no more."""
        with self._lock:
            self._less(("session", session_id))

    def _limits(self, claim: Claim) -> dict[tuple[str, ...], tuple[Full, int]]:
        limits: dict[tuple[str, ...], tuple[Full, int]] = {}
        if claim.session_id:
            limits["session", claim.session_id] = (Full.SESSION, self._session_limit)
        user_limit = self._user_limits[claim.kind]
        if claim.user:
            limits["user", claim.kind, claim.user] = (Full.USER, user_limit)
        if claim.address:
            limits["address", claim.address] = (Full.ADDRESS, self._address_limit)
        return limits

    def _less(self, key: tuple[str, ...]) -> None:
        self._counts[key] -= 1
        if not self._counts[key]:
            del self._counts[key]

"""The stored keys that have opened the feeds of a relay: whether they still open anything, asked for all at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection

from web.relay.client import Client
from web.relay.errands import Errands

logger = logging.getLogger(__name__)
_LEAST_SECONDS = 0.05


class KeysInUse:
    """Used by the loop alone. `find_ended` gives those keys that open nothing any more; it waits for the database."""

    def __init__(
        self, find_ended: Callable[[Collection[str]], frozenset[str]], errands: Errands, every_seconds: float
    ) -> None:
        self._find_ended = find_ended
        self._errands = errands
        self._every_seconds = max(_LEAST_SECONDS, every_seconds)
        self._clients: dict[str, dict[Client, None]] = {}
        self._keys: dict[Client, frozenset[str]] = {}
        self._asks_at: float | None = 0.0
        """None while an answer is awaited."""
        self._unknown = False
        self._concerned: dict[Client, None] = {}
        self.ended: frozenset[str] = frozenset()
        """Which keys the last answer has named."""

    def set(self, client: Client, key_ids: frozenset[str]) -> None:
        """Says with which keys a client's feed, or some of its sessions, end; it may be said again."""
        before = self._keys.get(client, frozenset())
        if key_ids == before:
            return
        for key_id in before - key_ids:
            self._clients[key_id].pop(client)
            if not self._clients[key_id]:
                del self._clients[key_id]
        for key_id in key_ids - before:
            self._clients.setdefault(key_id, {})[client] = None
        if key_ids:
            self._keys[client] = key_ids
        else:
            del self._keys[client]
            self._concerned.pop(client, None)

    @property
    def has_concerned(self) -> bool:
        """Whether somebody is to be told at once."""
        return bool(self._concerned)

    def next_deadline(self, otherwise: float) -> float:
        """When the clock is to be looked at again."""
        return otherwise if self._asks_at is None or not self._clients else min(otherwise, self._asks_at)

    def look_at_the_clock(self, now: float) -> None:
        """Has the keys asked for when it is time."""
        if self._clients and self._asks_at is not None and now >= self._asks_at:
            self._asks_at = None
            key_ids = tuple(self._clients)
            self._errands.ask(lambda: self._find_ended(key_ids), lambda found: self._told(found, now))

    def _told(self, found: frozenset[str] | Exception, asked_at: float) -> None:
        self._asks_at = max(asked_at + self._every_seconds, time.monotonic())
        unknown = isinstance(found, Exception)
        if unknown and not self._unknown:
            logger.warning("nobody can tell whether keys were revoked: the feeds that they have opened go on")
        self._unknown = unknown
        if isinstance(found, frozenset) and found:
            self.ended = found
            self._concerned.update((client, None) for key_id in found for client in self._clients.get(key_id, ()))

    def take_concerned(self, limit: int) -> list[Client]:
        """Takes out some of those whose keys have ended."""
        found = list(self._concerned)[:limit]
        for client in found:
            del self._concerned[client]
        return found

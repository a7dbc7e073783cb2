"""What a session's feed has held: the database, then what is not stored yet, without gaps or repeats."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable
from pipeline.event import Event
from pipeline.settings import Settings
from pipeline.store import Store, events
from pipeline.store.events import Filters

_TAIL_LIMIT_EVENTS = 100_000
_LOG_PAGE_ENTRIES = 2_000


def wanted(filters: Filters) -> Callable[[Event], bool]:
    """Whether an event passes the filters, as the database would judge it."""
    patterns = [
        re.compile(".*".join(re.escape(part) for part in name.split("*")), re.DOTALL) for name in filters.event_types
    ]

    def judge(event: Event) -> bool:
        return (
            (not patterns or any(p.fullmatch(event.event_type) for p in patterns))
            and (not filters.statuses or event.event_status in filters.statuses)
            and (not filters.categories or event.category in filters.categories)
            and (not filters.priorities or event.priority in filters.priorities)
        )

    return judge


def _later(newest: Event | None, stored: Sequence[Event]) -> Event | None:
    """The newest event that the database is known to hold."""
    if not stored or (newest is not None and newest.id > stored[-1].id):
        return newest
    return stored[-1]


class History:
    """Reads one session's events from where they lie."""

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._settings = settings
        self._bus = bus
        self._store = store

    def after(self, session_id: str, after: int, limit: int, filters: Filters = Filters()) -> list[Event]:
        """The oldest `limit` events behind `after`, ascending. Raises StoreUnavailable.

        Without Redis only what is stored is given.
        """
        # Asked before the page: what is recorded between the two questions must not be taken for shown.
        newest = None if filters == Filters() else self._newest_stored(session_id, after)
        stored = events.session_events(self._store, session_id, after, limit, filters)
        if len(stored) >= limit:
            return stored
        newest = _later(newest, stored)
        tail = filter(wanted(filters), self._tail(session_id, after, newest))
        return [*stored, *tail][:limit]

    def latest(self, session_id: str, count: int, filters: Filters = Filters()) -> list[Event]:
        """The newest `count` events, ascending. Raises StoreUnavailable."""
        newest = None if filters == Filters() else self._newest_stored(session_id, 0)
        stored = events.latest_session_events(self._store, session_id, count, filters)
        newest = _later(newest, stored)
        tail = list(filter(wanted(filters), self._tail(session_id, 0, newest)))
        return [*stored, *tail][-count:]

    def _newest_stored(self, session_id: str, after: int) -> Event | None:
        newest = events.latest_session_events(self._store, session_id, 1)
        return newest[0] if newest and newest[0].id > after else None

    def _tail(self, session_id: str, after: int, newest: Event | None) -> list[Event]:
        """The events that are not stored yet: in the session's stream, and in the log where that is too short."""
        cursor = max(after, newest.id) if newest else after
        try:
            tail = self._bus.session_events(session_id, cursor, _TAIL_LIMIT_EVENTS)
            if self._may_miss(tail, newest):
                return [*self._from_log(session_id, cursor, tail[0].id), *tail]
            return tail
        except BusUnavailable:
            return []

    def _may_miss(self, tail: Sequence[Event], newest: Event | None) -> bool:
        """Whether events may lie between the newest stored one and the stream, which keeps only so many."""
        if not tail or tail[0].seq is None:
            return False
        if newest is not None and newest.seq is not None:
            return tail[0].seq != newest.seq + 1
        return tail[0].seq > 1 and len(tail) >= self._settings.session_stream_limit_events

    def _from_log(self, session_id: str, after: int, before: int) -> list[Event]:
        mark = f'"session_id":"{session_id}"'.encode()
        found: list[Event] = []
        while True:
            entries = self._bus.log.read_log(after, before, _LOG_PAGE_ENTRIES)
            found += [
                event
                for event in (Event.from_wire(e.wire) for e in entries if e.wire is not None and mark in e.wire)
                if event.seq is not None
            ]
            if len(entries) < _LOG_PAGE_ENTRIES or len(found) >= _TAIL_LIMIT_EVENTS:
                return found
            after = int(entries[-1].entry_id.partition("-")[0])

"""What a session's feed has held: the database, then what is not stored yet, without gaps or repeats."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.bus import Bus, Frame
from pipeline.errors import BusUnavailable, InvalidEvent
from pipeline.event import Event
from pipeline.settings import Settings
from pipeline.store import Store, events, marks
from pipeline.store.events import Filters
from web.feed.tally import tally

_TAIL_LIMIT_EVENTS = 100_000
_LOG_PAGE_ENTRIES = 2_000


def _judge(filters: Filters) -> Callable[[str, str | None, str, str], bool]:
    """Whether type, status, category and priority pass the filters, as the database would judge it."""
    patterns = [
        re.compile(".*".join(re.escape(part) for part in name.split("*")), re.DOTALL) for name in filters.event_types
    ]

    def judge(event_type: str, status: str | None, category: str, priority: str) -> bool:
        return (
            (not patterns or any(p.fullmatch(event_type) for p in patterns))
            and (not filters.statuses or status in filters.statuses)
            and (not filters.categories or category in filters.categories)
            and (not filters.priorities or priority in filters.priorities)
        )

    return judge


def wanted(filters: Filters) -> Callable[[Event], bool]:
    """Whether an event passes the filters."""
    judge = _judge(filters)
    return lambda event: judge(event.event_type, event.event_status, event.category, event.priority)


def wanted_frame(filters: Filters) -> Callable[[Frame], bool]:
    """Whether an announced event passes the filters, by what stands at its head."""
    judge = _judge(filters)
    return lambda frame: judge(frame.event_type, frame.status, frame.category, frame.priority)


class Look(NamedTuple):
    """Events, ascending; all that there were up to the log's newest id `upto`, or what is stored without Redis."""

    events: list[Event]
    upto: int | None


class History:
    """Reads one session's events from where they lie.

    Recorders store batches of the log, and nobody knows in which order those are committed: what is not stored may
    lie between what is. So nothing is concluded from the newest stored event. What Redis holds is read first, up to
    the newest id of that moment; then the database, up to the same id. An event of that span was in Redis then or is
    in the database now; what is newer waits for the next question.
    """

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._settings = settings
        self._bus = bus
        self._store = store

    def after(self, session_id: str, after: int, limit: int, filters: Filters = Filters()) -> list[Event]:
        """The oldest `limit` events behind `after`, ascending. Raises StoreUnavailable.

        Without Redis only what is stored is given, up to the first hole.
        """
        return self.look_after(session_id, after, limit, filters).events

    def look_after(self, session_id: str, after: int, limit: int, filters: Filters = Filters()) -> Look:
        """As `after`, and up to where that was. Raises StoreUnavailable."""
        newest, tail = self._tail(session_id, after, filters)
        if newest is None:
            return Look(self._without_holes(session_id, after, limit, filters), None)
        stored = events.session_events(self._store, session_id, after, limit, filters, newest)
        tally.count("read:database", len(stored))
        return Look(_merged(stored, tail)[:limit], newest)

    def first_kept(self, session_id: str, after: int) -> int | None:
        """The session's first event behind `after`, if some before it, behind the cursor, may be deleted; else None.

        Raises StoreUnavailable.
        """
        if not 0 < after < marks.deleted_before(self._store):
            return None
        first = next(iter(self.after(session_id, after, 1)), None)
        if first is None or first.seq in {1, None}:
            return None
        before = events.latest_session_events(self._store, session_id, 1, upto=after)
        return None if before and before[0].seq == first.seq - 1 else first.id

    def _without_holes(self, session_id: str, after: int, limit: int, filters: Filters) -> list[Event]:
        """What is stored behind `after` up to the first number that is missing: it may not be stored yet.

        A number 1 is no hole: numbering begins anew when Redis has lost its data.
        """
        before = events.latest_session_events(self._store, session_id, 1, upto=after)
        expected = (before[0].seq or 0) + 1 if before else 1
        found: list[Event] = []
        for event in events.session_events(self._store, session_id, after, limit):
            if event.seq not in {expected, 1}:
                break
            expected = event.seq + 1
            found.append(event)
        return list(filter(wanted(filters), found))

    def latest(self, session_id: str, count: int, filters: Filters = Filters()) -> list[Event]:
        """The newest `count` events, ascending. Raises StoreUnavailable."""
        return self.look_latest(session_id, count, filters).events

    def look_latest(self, session_id: str, count: int, filters: Filters = Filters()) -> Look:
        """As `latest`, and up to where that was. Raises StoreUnavailable."""
        newest, tail = self._tail(session_id, 0, filters)
        stored = events.latest_session_events(self._store, session_id, count, filters, newest)
        return Look(_merged(stored, tail)[-count:], newest)

    def _tail(self, session_id: str, after: int, filters: Filters) -> tuple[int | None, list[Event]]:
        """The newest id of this moment, and what Redis holds of the session behind `after` up to it."""
        try:
            _, newest = self._bus.clock()
            first_unstored = self._bus.log.first_id()
            held = self._bus.session_events(session_id, after, newest, _TAIL_LIMIT_EVENTS)
            tally.count("read:stream", len(held))
            if first_unstored is not None:
                logged = self._not_held(session_id, max(after, first_unstored - 1), newest)
                tally.count("read:log", len(logged))
                held = _merged(held, logged)
        except BusUnavailable:
            return None, []
        return newest, list(filter(wanted(filters), held))

    def _not_held(self, session_id: str, after: int, newest: int) -> list[Event]:
        """What the log has of the session before its stream begins: the stream keeps only so many, for so long."""
        first_held = self._bus.first_session_id(session_id)
        before = newest + 1 if first_held is None else first_held
        behind = after
        mark = f'"session_id":"{session_id}"'.encode()
        # By id: an entry that was written a second time holds an event that was given before.
        found: dict[int, Event] = {}
        while after + 1 < before and len(found) < _TAIL_LIMIT_EVENTS:
            entries = self._bus.log.read_log(after, before, _LOG_PAGE_ENTRIES)
            found |= {
                event.id: event
                for event in _readable(e.wire for e in entries if e.wire is not None and mark in e.wire)
                if event.seq is not None and behind < event.id < before
            }
            if len(entries) < _LOG_PAGE_ENTRIES:
                break
            after = int(entries[-1].entry_id.partition("-")[0])
        return [found[event_id] for event_id in sorted(found)]


def _readable(wires: Iterable[bytes]) -> Iterator[Event]:
    """The events; what is none will lie with the dead letters and must not hold a feed up until then."""
    for wire in wires:
        with contextlib.suppress(InvalidEvent):
            yield Event.from_wire(wire)


def _merged(first: Sequence[Event], second: Sequence[Event]) -> list[Event]:
    """Both, each event once, ascending."""
    if not first or not second:
        return [*first, *second]
    return sorted({event.id: event for event in (*first, *second)}.values(), key=lambda event: event.id)

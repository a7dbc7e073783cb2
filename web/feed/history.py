"""What a session's feed has held: the database, then what is not stored yet, without gaps or repeats."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import NamedTuple

from pipeline.bus import Bus, Frame
from pipeline.event import Event
from pipeline.store import Store, events, marks
from pipeline.store.events import Filters
from web.feed.held import Holding, merged
from web.feed.tally import tally

_ANY_SIZE = sys.maxsize
_FIRST_LOOK_EVENTS = 100


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
    """Events of a session, ascending: all that there were behind a cursor, or the newest, up to the id `upto`.

    `more`: there are others behind `upto`. `epoch` and `last_id` are the log's. Not `complete`: without Redis they are
    those that are stored.
    """

    events: list[Event]
    upto: int
    more: bool
    complete: bool = True
    epoch: str = ""
    last_id: int = 0


class History:
    """Reads one session's events from where they lie.

    Recorders store batches of the log, and nobody knows in which order those are committed: what is not stored may
    lie between what is. So nothing is concluded from the newest stored event. What Redis holds is read first, up to
    the newest id of that moment, or to where enough was read; then the database, up to the same id. An event of that
    span was in Redis then or is in the database now; what is newer waits for the next question.
    """

    def __init__(self, bus: Bus, store: Store) -> None:
        self._store = store
        self._holding = Holding(bus)

    def after(self, session_id: str, after: int, limit: int, filters: Filters = Filters()) -> list[Event]:
        """The oldest `limit` events behind `after`, ascending. Raises StoreUnavailable.

        Without Redis only what is stored is given, up to the first hole.
        """
        return self.look_after(session_id, after, limit, filters).events

    def look_after(self, session_id: str, after: int, limit: int, filters: Filters = Filters()) -> Look:
        """As `after`, and up to where that was. Raises StoreUnavailable."""
        look = self.look_on(session_id, after, limit, _ANY_SIZE, filters)
        found = look.events
        while look.more and len(found) < limit:
            look = self.look_on(session_id, look.upto, limit - len(found), _ANY_SIZE, filters)
            found += look.events
        return look._replace(events=found)

    def look_on(self, session_id: str, after: int, limit: int, limit_bytes: int, filters: Filters = Filters()) -> Look:
        """The first events behind `after`: at most `limit`, no more than fit into `limit_bytes`, but one at least.

        They may be fewer, or none that passes the filters, and others follow all the same. Raises StoreUnavailable.
        """
        held = self._holding.behind(session_id, after, limit, limit_bytes)
        if held is None:
            found, more = self._without_holes(session_id, after, limit, limit_bytes)
            return Look(list(filter(wanted(filters), found)), found[-1].id if found else after, more, complete=False)
        stored, cut = self._stored(session_id, after, limit, limit_bytes, filters, held.upto)
        upto = stored[-1].id if cut else held.upto
        found = merged(stored, [event for event in filter(wanted(filters), held.events) if event.id <= upto])
        kept = as_many_as_fit(found[:limit], limit_bytes)
        if len(kept) < len(found):
            return Look(kept, kept[-1].id, True, True, held.epoch, held.last_id)
        return Look(kept, upto, held.more or cut, True, held.epoch, held.last_id)

    def _stored(
        self, session_id: str, after: int, limit: int, limit_bytes: int, filters: Filters, upto: int | None
    ) -> tuple[list[Event], bool]:
        """What is stored behind `after`, and whether something may be left: a few events first, to see how large."""
        found: list[Event] = []
        size, asked = 0, min(limit, _FIRST_LOOK_EVENTS)
        while True:
            behind = found[-1].id if found else after
            some = events.session_events(self._store, session_id, behind, asked, filters, upto)
            tally.count("read:database", len(some))
            found += some
            size += sum(len(event.wire) for event in some)
            if len(some) < asked:
                return found, False
            if len(found) >= limit or size >= limit_bytes:
                return found, True
            asked = max(1, min(limit - len(found), (limit_bytes - size) * len(found) // size))

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

    def _without_holes(self, session_id: str, after: int, limit: int, limit_bytes: int) -> tuple[list[Event], bool]:
        """What is stored behind `after` up to the first number that is missing, which may not be stored yet.

        A number 1 is no hole: numbering begins anew when Redis has lost its data. And whether others follow.
        """
        before = events.latest_session_events(self._store, session_id, 1, upto=after)
        expected = (before[0].seq or 0) + 1 if before else 1
        stored, cut = self._stored(session_id, after, limit, limit_bytes, Filters(), None)
        found: list[Event] = []
        for event in stored:
            if event.seq not in {expected, 1}:
                return found, False
            expected = event.seq + 1
            found.append(event)
        return found, cut

    def latest(self, session_id: str, count: int, filters: Filters = Filters()) -> list[Event]:
        """The newest `count` events, ascending. Raises StoreUnavailable."""
        return self.look_latest(session_id, count, filters).events

    def look_latest(self, session_id: str, count: int, filters: Filters = Filters()) -> Look:
        """As `latest`, and up to where that was. Raises StoreUnavailable."""
        held = self._holding.newest(session_id, count, wanted(filters))
        upto = None if held is None else held.last_id
        stored = events.latest_session_events(self._store, session_id, count, filters, upto)
        if held is None:
            return Look(stored, stored[-1].id if stored else 0, False, complete=False)
        return Look(merged(stored, held.events)[-count:], held.last_id, False, True, held.epoch, held.last_id)


def as_many_as_fit(found: list[Event], limit_bytes: int) -> list[Event]:
    """The first events that are not too large together; one at least."""
    size = 0
    for count, event in enumerate(found):
        size += len(event.wire)
        if size > limit_bytes and count:
            return found[:count]
    return found

"""What a feed across sessions has held: the log's tail and the database, by id, without gaps or repeats.

As in `web.feed.history` nothing is concluded from the newest stored event. Redis is read first, up to some id; then the
database, up to the same id: an event of that span was in Redis then, or is in the database now. Such a feed has no
numbers without gaps, so while Redis is away nothing is told, rather than something passed over.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.bus import Bus
from pipeline.event import Event
from pipeline.store import Store, wide_events
from web.feed.audiences import is_for, marks
from web.feed.held import readable
from web.feed.history import Look, as_many_as_fit, wanted
from web.feed.tally import tally
from web.feed.wish import Scope, Wish

SCAN_LIMIT_ENTRIES = 2_000
"""So many entries of the log are looked at for one page: more would hold up the others who wait for their pages."""
_SCAN_LIMIT_LARGE_ENTRIES = 50
"""Where events may be large."""


class WideHistory:
    """Reads the events of feeds across sessions from where they lie."""

    def __init__(self, bus: Bus, store: Store, scan_limit_entries: int = SCAN_LIMIT_ENTRIES) -> None:
        self._bus = bus
        self._store = store
        self._scan_limit_entries = scan_limit_entries

    def look_on(self, wish: Wish, after: int, limit: int, limit_bytes: int) -> Look:
        """The first events behind `after`: about `limit`, no more than fit into `limit_bytes`, but one at least.

        They may be fewer, or none, and others follow all the same. Raises BusUnavailable and StoreUnavailable.
        """
        epoch, newest = self._bus.clock()
        if newest <= after:
            return Look([], after, False, True, epoch, newest)
        logged, reached = self._logged(wish, after, newest)
        stored, reached = self._stored(wish, after, reached, limit)
        # By id: what lies in both places is told once.
        by_id = {event.id: event for event in (*stored, *logged) if after < event.id <= reached}
        found = [by_id[event_id] for event_id in sorted(by_id)]
        kept = as_many_as_fit(found, limit_bytes)
        if len(kept) < len(found):
            reached = kept[-1].id
        return Look(kept, reached, reached < newest, True, epoch, newest)

    def _logged(self, wish: Wish, after: int, newest: int) -> tuple[list[Event], int]:
        """What the log holds behind `after`, and up to where that was looked at."""
        large = self._bus.log.newest_large() > after
        limit = min(self._scan_limit_entries, _SCAN_LIMIT_LARGE_ENTRIES) if large else self._scan_limit_entries
        entries = self._bus.log.read_log(after, newest + 1, limit)
        reached = int(entries[-1].entry_id.partition("-")[0]) if len(entries) == limit else newest
        passes, hints = wanted(wish.filters), marks(wish)
        wires = [e.wire for e in entries if e.wire is not None and _may_fit(e.wire, hints)]
        found = [event for event in readable(wires) if passes(event) and is_for(wish, event.wire)]
        tally.count("read:log", len(found))
        return found, reached

    def _stored(self, wish: Wish, after: int, upto: int, limit: int) -> tuple[list[Event], int]:
        """What is stored behind `after`, and up to where that is all there is."""
        store, filters = self._store, wish.filters
        if wish.scope is Scope.OPERATORS:
            pages = [wide_events.all_kinds(store, after, upto, limit, filters)]
        else:
            pages = [
                wide_events.naming_user(store, wish.user_id, after, upto, limit, filters),
                wide_events.for_everyone(store, after, upto, limit, filters),
            ]
        reached = min([upto, *(page[-1].id for page in pages if len(page) == limit)])
        tally.count("read:database", sum(map(len, pages)))
        return [event for page in pages for event in page if is_for(wish, event.wire)], reached


def _may_fit(wire: bytes, hints: Sequence[bytes]) -> bool:
    return not hints or any(hint in wire for hint in hints)

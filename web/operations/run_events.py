"""A run's events from wherever they lie: the database, and what Redis holds that is not stored yet. No Flask."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from pipeline.bus import Bus
from pipeline.bus.sessions import Tail
from pipeline.errors import BusUnavailable
from pipeline.event import Event
from pipeline.store import Store, browsing
from pipeline.store.browsing import Run
from pipeline.store.moments import id_at
from web.feed.held import LOOK_LIMIT_BYTES, LOOK_LIMIT_EVENTS, merged, readable

_LOG_PAGE_ENTRIES, _LOG_PAGE_LARGE_ENTRIES, _LOG_PAGES_LIMIT = 2_000, 50, 10
_NO_ID_IS_ABOVE = 2**63 - 1
_MARGIN_US = 60_000_000
"""So far this machine's clock and Redis's may be apart, and an ending be written behind the message's row."""
_FIELDS = ("st", "cur", "state", "tries", "q", "sid")


class Standing(NamedTuple):
    """How a run stands in Redis: its status, the stage at hand and whether that is queued or running, and since when.

    All is empty for a run that Redis does not know; `known` is False when Redis could not be asked.
    """

    known: bool = False
    status: str = ""
    stage: str = ""
    state: str = ""
    tries: int = 0
    queued_since: int = 0
    session_id: str = ""


class Heard(NamedTuple):
    """A run's events, oldest first, all up to `last_id` where they are `whole`; the clock is the log's."""

    events: list[Event]
    whole: bool
    last_id: int
    epoch: str
    now: int


def standing(bus: Bus, message_id: str) -> Standing:
    """Where the run is."""
    try:
        found = bus.run_fields(message_id, _FIELDS)
    except BusUnavailable:
        return Standing()
    status, stage, state, tries, since, session_id = ((value or b"").decode() for value in found)
    return Standing(True, status, stage, state, int(tries or 0), int(float(since or 0)), session_id)


def heard(bus: Bus, store: Store, message_id: str, session_id: str, run: Run | None, limit: int) -> Heard:
    """The run's events, the oldest `limit` of them. Raises StoreUnavailable.

    What Redis holds is read first: an event was there then, or is in the database now.
    """
    here = id_at(datetime.datetime.now(datetime.UTC))
    try:
        tail = bus.session_end(session_id, None, LOOK_LIMIT_EVENTS, LOOK_LIMIT_BYTES)
        held, whole = _unstored(bus, tail, message_id, *_span_of(run))
        now = max(here, tail.last_id)
    except BusUnavailable:
        tail, held, whole, now = None, [], False, here
    stored = browsing.events_of_run(store, message_id, limit)
    found = merged(stored, held)
    last_id = tail.last_id if tail else found[-1].id if found else 0
    found = [event for event in found if event.id <= last_id]
    return Heard(found[:limit], whole and len(found) <= limit, last_id, tail.epoch if tail else "", now)


def _span_of(run: Run | None) -> tuple[int, int]:
    """The ids between which a run's events lie: the log may hold much more than what is not stored."""
    begin = 0 if run is None else id_at(run.created_at) - _MARGIN_US
    ended = run is not None and run.status != "accepted"
    return begin, id_at(run.updated_at) + _MARGIN_US if run is not None and ended else _NO_ID_IS_ABOVE


def _unstored(bus: Bus, tail: Tail, message_id: str, begin: int, end: int) -> tuple[list[Event], bool]:
    """What the log holds of the message that may not be stored, and the session's newest events; whether all of it."""
    found = [event for event in tail.events if event.message_id == message_id]
    if tail.oldest_unstored is None:
        return found, True
    mark = f'"message_id":"{message_id}"'.encode()
    after, before = max(tail.oldest_unstored, begin) - 1, min(tail.last_id, end) + 1
    page = _LOG_PAGE_LARGE_ENTRIES if bus.log.newest_large() > after else _LOG_PAGE_ENTRIES
    for _ in range(_LOG_PAGES_LIMIT if after + 1 < before else 0):
        entries = bus.log.read_log(after, before, page)
        wires = (entry.wire for entry in entries if entry.wire is not None and mark in entry.wire)
        found += [event for event in readable(wires) if event.message_id == message_id]
        if len(entries) < page:
            return merged(found, found), True
        after = int(entries[-1].entry_id.partition("-")[0])
    return merged(found, found), after + 1 >= before

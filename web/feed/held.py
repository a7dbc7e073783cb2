"""What Redis holds of one session: its stream, and what the log has of it before the stream begins."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable, InvalidEvent
from pipeline.event import Event
from web.feed.tally import tally

LOOK_LIMIT_EVENTS = 500
LOOK_LIMIT_BYTES = 1_048_576
"""So much is asked for at once: Redis does nothing else meanwhile, and its answer must come before a deadline."""
_LOG_PAGE_ENTRIES, _LOG_PAGE_LARGE_ENTRIES = 2_000, 50


class Held(NamedTuple):
    """Events, ascending: all that Redis holds of the session in a span that ends with the id `upto`.

    `epoch` and `last_id` are the log's. `more`: Redis held events behind `upto`.
    """

    epoch: str
    last_id: int
    events: list[Event]
    upto: int
    more: bool


class Holding:
    """Reads from Redis. Every call gives None when Redis cannot be asked."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def behind(self, session_id: str, after: int, limit: int, limit_bytes: int) -> Held | None:
        """The first events behind `after`, some of them if there are many; one at least, if there is any."""
        limit, limit_bytes = min(limit, LOOK_LIMIT_EVENTS), min(limit_bytes, LOOK_LIMIT_BYTES)
        try:
            tail = self._bus.session_tail(session_id, after, limit, limit_bytes)
            tally.count("read:stream", len(tail.events))
            found, whole = tail.events, tail.whole
            before = tail.last_id + 1 if tail.oldest_held is None else tail.oldest_held
            if tail.oldest_unstored is not None and not _begins(found):
                begin = max(after, tail.oldest_unstored - 1)
                logged, all_read = self._logged(session_id, begin, before, limit_bytes)
                found = logged + found if all_read else logged
                whole = whole and all_read
        except BusUnavailable:
            return None
        return Held(tail.epoch, tail.last_id, found, tail.last_id if whole else found[-1].id, not whole)

    def newest(self, session_id: str, count: int, wanted: Callable[[Event], bool]) -> Held | None:
        """The newest `count` events that are wanted; all of them, if there are fewer."""
        found: list[Event] = []
        try:
            end = self._bus.session_end(session_id, None, min(count, LOOK_LIMIT_EVENTS), LOOK_LIMIT_BYTES)
            epoch, last_id, before = end.epoch, end.last_id, end.last_id + 1
            while True:
                tally.count("read:stream", len(end.events))
                found = [*filter(wanted, end.events), *found]
                before = end.events[0].id if end.events else before
                if end.whole or len(found) >= count:
                    break
                end = self._bus.session_end(session_id, before, LOOK_LIMIT_EVENTS, LOOK_LIMIT_BYTES)
            if len(found) < count and end.oldest_unstored is not None and not _begins(end.events):
                logged, _ = self._logged(session_id, end.oldest_unstored - 1, before, None)
                found = [*filter(wanted, logged), *found]
        except BusUnavailable:
            return None
        return Held(epoch, last_id, found[-count:], last_id, more=False)

    def _logged(self, session_id: str, after: int, before: int, limit_bytes: int | None) -> tuple[list[Event], bool]:
        """What the log has of the session between two ids, and whether that is all: the stream keeps only so many.

        At least one event, if there is any.
        """
        if after + 1 >= before:
            return [], True
        behind, size = after, 0
        mark = f'"session_id":"{session_id}"'.encode()
        page = _LOG_PAGE_LARGE_ENTRIES if self._bus.log.newest_large() > after else _LOG_PAGE_ENTRIES
        # By id: an entry that was written a second time holds an event that was given before.
        found: dict[int, Event] = {}
        while limit_bytes is None or size < limit_bytes:
            entries = self._bus.log.read_log(after, before, page)
            for event in readable(e.wire for e in entries if e.wire is not None and mark in e.wire):
                if event.seq is not None and behind < event.id < before:
                    found[event.id] = event
                    size += len(event.wire)
            if len(entries) < page:
                break
            after = int(entries[-1].entry_id.partition("-")[0])
        else:
            return _in_order(found), False
        tally.count("read:log", len(found))
        return _in_order(found), True


def _begins(found: Sequence[Event]) -> bool:
    """Whether these begin with the session's first event: the log, which may be long, has nothing before it."""
    return bool(found) and found[0].seq == 1


def _in_order(found: dict[int, Event]) -> list[Event]:
    return [found[event_id] for event_id in sorted(found)]


def readable(wires: Iterable[bytes]) -> Iterator[Event]:
    """The events; what is none will lie with the dead letters and must not hold a feed up until then."""
    for wire in wires:
        with contextlib.suppress(InvalidEvent):
            yield Event.from_wire(wire)


def merged(first: Sequence[Event], second: Sequence[Event]) -> list[Event]:
    """Both, each event once, ascending."""
    if not first or not second:
        return [*first, *second]
    return sorted({event.id: event for event in (*first, *second)}.values(), key=lambda event: event.id)

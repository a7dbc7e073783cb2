"""Pages of a session's events as JSON: read from where they lie, or given as another client was given them."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable
from pipeline.event import encode
from pipeline.settings import Settings
from pipeline.store import Store
from pipeline.store.events import Filters
from web.feed.history import History
from web.feed.page_cache import PageCache

_EVERYTHING = Filters()
_OVERHEAD_BYTES = 1_000
"""What a kept page costs beside its bytes: its key, and its places in the cache."""


def tag_of(body: bytes) -> str:
    """A weak ETag. The body names session, epoch and ids, so this says more than they do: also that all is there."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """What a client polls for: behind the cursor `after`, or the newest when it is None.

    `by_time`: the cursor was a time. `tells_more`: whether the page says that there are more.
    """

    session_id: str
    after: int | None
    limit: int
    filters: Filters = _EVERYTHING
    epoch: str | None = None
    by_time: bool = False
    tells_more: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A page as it is sent. `has_news`: it holds events, or tells the client to begin anew."""

    body: bytes
    tag: str
    has_news: bool
    lasts: bool

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.body) + _OVERHEAD_BYTES


@dataclasses.dataclass(frozen=True, slots=True)
class _Clock:
    """The log's epoch and newest id, and why the asker's cursor cannot be resumed from; without Redis nobody can tell.

    `mark`: as of `SessionClock`.
    """

    epoch: str | None = None
    last_id: int | None = None
    mark: str = ""
    reset: str | None = None


class Polls:
    """Answers polls; every call waits for Redis, and for the database where no page is kept."""

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._history = History(bus, store)
        self.cache: PageCache[Page] = PageCache(
            settings.poll_cache_limit_entries, settings.poll_cache_limit_bytes, settings.poll_cache_seconds
        )

    def page(self, ask: Ask) -> Page:
        """The page as it is now. Raises StoreUnavailable; without Redis it holds what is stored."""
        clock = self._clock(ask)
        if clock.epoch is None:
            return self._read(ask, clock)
        after = 0 if clock.reset is not None else ask.after
        key = (ask.session_id, after, ask.limit, ask.filters, ask.by_time, ask.tells_more, clock.reset)
        return self.cache.give(key, clock.mark, lambda: self._read(ask, clock))

    def _clock(self, ask: Ask) -> _Clock:
        try:
            clock = self._bus.session_clock(ask.session_id)
        except BusUnavailable:
            return _Clock()
        reset = None
        if ask.after is not None and not ask.by_time:
            if ask.epoch is not None and ask.epoch != clock.epoch:
                reset = "epoch"
            elif ask.after > clock.last_id:
                reset = "future"
        return _Clock(clock.epoch, clock.last_id, clock.mark, reset)

    def _read(self, ask: Ask, clock: _Clock) -> Page:
        extra = 1 if ask.tells_more else 0
        if ask.after is None:
            look = self._history.look_latest(ask.session_id, ask.limit + extra, ask.filters)
            events = look.events[-ask.limit :]
        else:
            after = 0 if clock.reset is not None else ask.after
            look = self._history.look_after(ask.session_id, after, ask.limit + extra, ask.filters)
            events = look.events[: ask.limit]
        head: dict[str, Any] = {
            "session_id": ask.session_id,
            "total_count": len(events),
            "has_more": len(look.events) > ask.limit,
            "next_after": events[-1].id if events else _unmoved(ask, clock),
            "epoch": clock.epoch,
        }
        if clock.reset is not None:
            head |= {"reset": True, "reason": clock.reset}
        elif ask.after is not None and (first := self._history.first_kept(ask.session_id, ask.after)) is not None:
            head |= {"gap": True, "first_available": first}
        body = encode(head)[:-1] + b',"events":[' + b",".join(event.wire for event in events) + b"]}"
        has_news = bool(events) or clock.reset is not None
        return Page(body, tag_of(body), has_news, look.complete)


def _unmoved(ask: Ask, clock: _Clock) -> int | None:
    """The cursor of an empty page: never ahead of the log, as a time may be that a client has named."""
    if ask.after is None:
        return None
    if clock.reset is not None:
        return 0
    if not ask.by_time:
        return ask.after
    return None if clock.last_id is None else min(ask.after, clock.last_id)

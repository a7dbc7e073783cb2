"""What a feed reads from Redis and the database, waiting for both: its beginning, and pages of the past."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable, StoreUnavailable
from pipeline.event import Event
from pipeline.settings import Settings
from pipeline.store import Store, conversations
from web.feed.history import History
from web.feed.wish import Wish

PAGE_LIMIT_EVENTS = 500
_OPEN_MESSAGES_LIMIT = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What there is of an answer that is being written."""

    message_id: str
    attempt: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Beginning:
    """The log's epoch and newest id at the moment when a feed begins, and what is being written then."""

    epoch: str
    last_id: int
    answers: Sequence[Answer]


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Events behind a cursor, oldest first; `more` says that the next page follows.

    Not `complete`: Redis could not be asked, so that events may be missing behind these ones.

    `anew`: the log has another epoch than the one that was known, so that everything that is kept follows.
    """

    start: int
    events: Sequence[Event]
    more: bool
    anew: Beginning | None = None
    complete: bool = True


class Past:
    """Reads for feeds; every call waits, and each of its questions has a deadline of its own."""

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store
        self._history = History(settings, bus, store)
        self._page_limit_bytes = settings.feed_queue_limit_bytes

    def beginning(self, session_id: str) -> Beginning:
        """Where the log is now. Raises BusUnavailable."""
        epoch, last_id = self._bus.clock()
        return Beginning(epoch, last_id, self._answers(session_id))

    def _answers(self, session_id: str) -> list[Answer]:
        try:
            waiting = conversations.unfinished(self._store, session_id, _OPEN_MESSAGES_LIMIT)
        except StoreUnavailable:
            return []
        runs = [(message.message_id, self._bus.run_state(message.message_id)) for message in waiting]
        return [Answer(name, run.tries, run.answer) for name, run in runs if run.status == "live" and run.answer]

    def page(self, wish: Wish, last_id: int, epoch: str) -> Page:
        """What came behind `last_id`, if `epoch` is still the log's; else what follows then.

        Raises StoreUnavailable: an event must not be passed over.
        """
        anew = self._anew(wish, epoch)
        if anew is not None:
            # Whoever asked for what is new only, may not know a reset, and would take the replay for news.
            last_id = 0 if wish.after is not None else min(last_id, anew.last_id)
        found, upto = self._history.look_after(wish.session_id, last_id, PAGE_LIMIT_EVENTS, wish.filters)
        kept = _as_many_as_fit(found, self._page_limit_bytes)
        more = len(kept) < len(found) or len(found) == PAGE_LIMIT_EVENTS
        return Page(last_id, kept, more, anew, complete=upto is not None)

    def _anew(self, wish: Wish, epoch: str) -> Beginning | None:
        try:
            now, last_id = self._bus.clock()
            if now == epoch:
                return None
            return Beginning(now, last_id, [] if wish.after is None else self._answers(wish.session_id))
        except BusUnavailable:
            # Once Redis is back, every feed falls behind and comes here again.
            return None


def _as_many_as_fit(events: list[Event], limit_bytes: int) -> list[Event]:
    """The first events that are not too large together; one at least."""
    size = 0
    for count, event in enumerate(events):
        size += len(event.wire)
        if size > limit_bytes and count:
            return events[:count]
    return events

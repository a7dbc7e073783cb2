"""What a feed reads from Redis and the database, waiting for both: its beginning, and pages of the past."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable, StoreUnavailable
from pipeline.event import Event
from pipeline.settings import Settings
from pipeline.store import Store, conversations
from web.feed.history import History, Look
from web.feed.wide_history import WideHistory
from web.feed.wish import Scope, Wish

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
    """The log's epoch and newest id at the moment when a feed begins, and what is being written then.

    `history_gone`: events behind the client's cursor have been deleted.
    """

    epoch: str
    last_id: int
    answers: Sequence[Answer]
    history_gone: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Events behind a cursor, oldest first, and the cursor behind them; `more` says that the next page follows.

    Not `complete`: Redis could not be asked, so that events may be missing behind these ones.

    `anew`: the log has another epoch than the one that was known, so that everything that is kept follows.

    `reached`: everything up to this id was looked at, where that is known.
    """

    start: int
    events: Sequence[Event]
    upto: int
    more: bool
    anew: Beginning | None = None
    complete: bool = True
    reached: int | None = None


class Past:
    """Reads for feeds; every call waits, and each of its questions has a deadline of its own."""

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store
        self._history = History(bus, store)
        self._wide = WideHistory(bus, store)
        self._page_limit_bytes = settings.feed_queue_limit_bytes

    def beginning(self, wish: Wish) -> Beginning:
        """Where the log is now. Raises BusUnavailable."""
        clock = self._bus.session_clock(wish.session_id)
        # Most feeds are opened while nothing is written, and the database is asked for nothing then.
        answers = self._answers(wish.session_id) if clock.answering else []
        return Beginning(clock.epoch, clock.last_id, answers, self._is_gone(wish))

    def _is_gone(self, wish: Wish) -> bool:
        try:
            return wish.after is not None and self._history.first_kept(wish.session_id, wish.after) is not None
        except StoreUnavailable:
            # Nothing is told before the database can be read again, but what goes on live should begin now.
            return False

    def _answers(self, session_id: str) -> list[Answer]:
        if not session_id:
            # A feed across sessions tells no answers.
            return []
        try:
            waiting = conversations.unfinished(self._store, session_id, _OPEN_MESSAGES_LIMIT)
        except StoreUnavailable:
            return []
        runs = [(message_id, self._bus.run_state(message_id)) for message_id in waiting]
        return [Answer(name, run.tries, run.answer) for name, run in runs if run.status == "live" and run.answer]

    def page(self, wish: Wish, last_id: int, epoch: str) -> Page:
        """What came behind `last_id`, if `epoch` is still the log's; else what follows then.

        Raises StoreUnavailable, and BusUnavailable where only Redis can tell: an event must not be passed over.
        """
        look, anew = self._look(wish, last_id), None
        if look.complete and look.epoch != epoch:
            # Whoever asked for what is new only, may not know a reset, and would take the replay for news.
            last_id = 0 if wish.after is not None else min(last_id, look.last_id)
            try:
                anew = Beginning(look.epoch, look.last_id, [] if wish.after is None else self._answers(wish.session_id))
            except BusUnavailable:
                return Page(last_id, [], last_id, more=False, complete=False)
            look = self._look(wish, last_id)
        # A feed across sessions passes over so much that is not its own that it goes on behind all that was looked at.
        if not look.more and wish.scope is Scope.SESSION:
            look = look._replace(upto=look.events[-1].id if look.events else last_id)
        return Page(last_id, look.events, look.upto, look.more, anew, look.complete)

    def _look(self, wish: Wish, last_id: int) -> Look:
        if wish.scope is not Scope.SESSION:
            return self._wide.look_on(wish, last_id, PAGE_LIMIT_EVENTS, self._page_limit_bytes)
        return self._history.look_on(wish.session_id, last_id, PAGE_LIMIT_EVENTS, self._page_limit_bytes, wish.filters)

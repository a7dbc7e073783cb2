"""One session of one client: where in its past the client is, and what it is told of it. No I/O.

Order of the beginning: follow the channel (Redis has confirmed it) → `greet` → pages of the past → what was announced
meanwhile, without repeats → live. The other order loses events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.bus import Frame
from web.feed import texts
from web.feed.history import wanted_frame
from web.feed.past import Answer, Beginning, Page
from web.feed.states import SessionState
from web.feed.tally import tally
from web.feed.transports import BY_NAME
from web.feed.wish import EVERYTHING, Scope, Wish

_AGAIN_SECONDS = 0.5


class Followed:
    """The state of one session. Everything that it gives is to be sent to the client.

    `further`: asked for over an open feed, so that whatever is told of it names the session. `owner`, `key_id` and
    `expires_at` (on the clock of whoever serves it, in seconds) are those of the token that opened it, if one did.
    """

    __slots__ = (
        "_wanted",
        "catch_up_at",
        "epoch",
        "expires_at",
        "further",
        "greeted",
        "key_id",
        "last_id",
        "owner",
        "transport",
        "wish",
    )

    def __init__(
        self,
        wish: Wish,
        further: bool = False,
        owner: str = "",
        expires_at: float | None = None,
        key_id: str | None = None,
    ) -> None:
        self.wish = wish
        self.further = further
        self.owner = owner
        self.expires_at = expires_at
        self.key_id = key_id
        self.transport = BY_NAME[wish.transport]
        self._wanted: Callable[[Frame], bool] | None = None
        if wish.filters != EVERYTHING:
            self._wanted = wanted_frame(wish.filters)
        self.last_id = 0
        self.epoch = ""
        self.greeted = False
        self.catch_up_at: float | None = None
        """From when on the next page of the past is wanted."""

    @classmethod
    def of(cls, state: SessionState, now: float) -> Followed:
        """Goes on where another process was."""
        made = cls(state.wish, state.further, state.owner, state.expires_at, state.key_id)
        made.last_id, made.epoch, made.greeted = state.last_id, state.epoch, state.greeted
        made.catch_up_at = now if state.catches_up else None
        return made

    @property
    def state(self) -> SessionState:
        """Enough to go on in another process."""
        return SessionState(
            self.wish,
            self.further,
            self.owner,
            self.expires_at,
            self.key_id,
            self.last_id,
            self.epoch,
            self.greeted,
            self.catch_up_at is not None,
        )

    @property
    def is_live(self) -> bool:
        """Whether frames may be sent as they are: all that came before was told, and everything is wanted."""
        return self.greeted and self._wanted is None and self.catch_up_at is None

    def greet(self, beginning: Beginning, now: float) -> bytes:
        """Begins, once the channel is followed."""
        wish = self.wish
        self.greeted = True
        self.epoch, last_id = beginning.epoch, beginning.last_id
        if wish.scope is not Scope.SESSION:
            return self._greet_widely(beginning, now)
        if self.further:
            told = [self.transport.message("subscribed", texts.subscribed(wish.session_id, self.epoch, last_id))]
        else:
            told = [self.message("connection", texts.connected(wish.session_id, self.epoch, last_id))]
        if wish.after is None:
            self.last_id = last_id
        else:
            reason = self._stale(beginning)
            if reason:
                tally.count(f"reset:{reason}")
                told.append(self.message("reset", texts.reset(reason, self.epoch, last_id)))
            self.last_id = 0 if reason else wish.after
            told.append(self.message("hello", texts.hello(self.last_id, self.epoch)))
            self.catch_up_at = now
        told += self._answers(beginning.answers)
        return b"".join(told)

    def _greet_widely(self, beginning: Beginning, now: float) -> bytes:
        """Begins a feed across sessions; its first message names the id that it really goes on from.

        So whoever is cut off before anything else has come misses nothing.
        """
        wish, last_id = self.wish, beginning.last_id
        reason = self._stale(beginning)
        self.last_id = last_id if wish.after is None else 0 if reason else wish.after
        words = texts.connected_widely(wish.scope, wish.user_id, self.epoch, last_id, self.last_id)
        told = [self.message("connection", words)]
        if reason:
            tally.count(f"reset:{reason}")
            told.append(self.message("reset", texts.reset(reason, self.epoch, last_id)))
        if wish.after is not None:
            self.catch_up_at = now
        return b"".join(told)

    def _stale(self, beginning: Beginning) -> str | None:
        """Why the client's cursor cannot be resumed from."""
        wish = self.wish
        if wish.epoch is not None and wish.epoch != beginning.epoch:
            return "epoch"
        if wish.after is not None and wish.after > beginning.last_id:
            return "future"
        return "history" if beginning.history_gone else None

    def _answers(self, answers: Sequence[Answer]) -> Iterator[bytes]:
        for answer in answers:
            yield self.message("answer", texts.answer_so_far(answer.message_id, answer.attempt, answer.text))

    def turn(self, page: Page, now: float) -> bytes:
        """Takes a page of the past; the next follows when the client has read it."""
        told: list[bytes] = []
        if page.anew is not None:
            # An id says nothing about what came after it in another epoch.
            self.epoch = page.anew.epoch
            if self.wish.after is not None:
                tally.count("reset:epoch")
                told.append(self.message("reset", texts.reset("epoch", self.epoch, page.anew.last_id)))
                told.append(self.message("hello", texts.hello(page.start, self.epoch)))
                told += self._answers(page.anew.answers)
        told += [self.transport.event(event.id, event.wire) for event in page.events]
        self.last_id = page.upto
        if page.more:
            self.catch_up_at = now
        elif page.complete:
            self.catch_up_at = None
        else:
            # What is announced now must not be told before what is missing.
            self.try_again(now)
        return b"".join(told)

    def try_again(self, now: float) -> None:
        """The past could not be read: the feed goes on when it can, as no event may be passed over."""
        self.catch_up_at = now + _AGAIN_SECONDS

    def fall_behind(self, now: float) -> None:
        """Something was missed: the past is read from the last event that was told."""
        self.catch_up_at = now

    def give(self, frame: Frame) -> bytes:
        """Takes a frame that was announced."""
        if frame.id == 0:
            return self.message(frame.event_type, frame.body)
        if frame.id <= self.last_id:
            return b""
        self.last_id = frame.id
        if self._wanted is not None and not self._wanted(frame):
            return b""
        return self.transport.event(frame.id, frame.body)

    def message(self, kind: str, body: bytes) -> bytes:
        """A message of this session; an event says by itself which one it belongs to."""
        return self.transport.message(kind, texts.within(self.wish.session_id, body) if self.further else body)

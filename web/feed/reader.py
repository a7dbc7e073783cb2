"""One client of the feed without its socket: what it is told, in which order, and what it says. No I/O.

Order of the beginning: follow the channel (Redis has confirmed it) → `greet` → pages of the past → what was announced
meanwhile, without repeats → live. The other order loses events. Whoever serves a reader brings it the pages that it
`wants`, writes `out` as far as the socket takes it, and says so with `sent`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence

import orjson

from pipeline.bus import Frame
from pipeline.settings import Settings
from web.feed import frames, texts
from web.feed.history import wanted_frame
from web.feed.inbound import Breach, Inbound, Said
from web.feed.past import Answer, Beginning, Page
from web.feed.transports import BY_NAME, WEBSOCKET
from web.feed.wish import EVERYTHING, Wish

OUT_LIMIT_BYTES = 262_144
"""With so much unsent a client is given nothing more: frames wait, and beyond their limit are replayed later."""
_AGAIN_SECONDS = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """The same for all readers of a process; times in seconds."""

    keepalive_seconds: float
    send_timeout_seconds: float
    frame_limit_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Terms:
        """As the settings have them."""
        return cls(settings.feed_keepalive_seconds, settings.feed_send_timeout_seconds, settings.feed_frame_limit_bytes)


class Reader:
    """The state of one feed. Times are those of one monotonic clock, in seconds, given by whoever serves it."""

    __slots__ = (
        "_inbound",
        "_terms",
        "_wanted",
        "bus_away",
        "catch_up_at",
        "closing",
        "epoch",
        "greeted",
        "heard_at",
        "last_id",
        "out",
        "progress_at",
        "transport",
        "wish",
    )

    def __init__(self, wish: Wish, terms: Terms, now: float) -> None:
        self.wish = wish
        self.transport = BY_NAME[wish.transport]
        self._terms = terms
        self._inbound: Inbound | None = None
        self._wanted: Callable[[Frame], bool] | None = None
        if wish.filters != EVERYTHING:
            self._wanted = wanted_frame(wish.filters)
        self.out = bytearray()
        self.last_id = 0
        self.epoch = ""
        self.greeted = self.closing = self.bus_away = False
        self.catch_up_at: float | None = None
        """From when on the next page of the past is wanted."""
        self.progress_at = self.heard_at = now

    # What is asked of whoever serves it

    @property
    def has_room(self) -> bool:
        """Whether it may be given more."""
        return not self.closing and len(self.out) < OUT_LIMIT_BYTES

    @property
    def is_direct(self) -> bool:
        """Whether frames may be sent to it as they are: it has read all that came before and wants everything."""
        return self.greeted and self._wanted is None and self.catch_up_at is None and not self.out and not self.closing

    @property
    def keepalive_at(self) -> float:
        """When it is told that the feed lives, if it stays silent."""
        return self.heard_at + self._terms.keepalive_seconds

    def is_stuck(self, now: float) -> bool:
        """Whether it has not read for too long."""
        return bool(self.out) and now - self.progress_at > self._terms.send_timeout_seconds

    # What it is told

    def greet(self, beginning: Beginning, now: float) -> None:
        """Begins, once the channel is followed."""
        wish, transport = self.wish, self.transport
        self.greeted = True
        self.epoch = beginning.epoch
        last_id = beginning.last_id
        self.queue(transport.head(), now)
        self.queue(transport.message("connection", texts.connected(wish.session_id, self.epoch, last_id)), now)
        if wish.after is None:
            self.last_id = last_id
        else:
            reason = self._stale(beginning)
            if reason:
                self.queue(transport.message("reset", texts.reset(reason, self.epoch, last_id)), now)
            self.last_id = 0 if reason else wish.after
            self.queue(transport.message("hello", texts.hello(self.last_id, self.epoch)), now)
            self.catch_up_at = now
        self._tell_answers(beginning.answers, now)

    def _stale(self, beginning: Beginning) -> str | None:
        """Why the client's cursor cannot be resumed from."""
        wish = self.wish
        if wish.epoch is not None and wish.epoch != beginning.epoch:
            return "epoch"
        if wish.after is not None and wish.after > beginning.last_id:
            return "future"
        return None

    def _tell_answers(self, answers: Sequence[Answer], now: float) -> None:
        for answer in answers:
            body = texts.answer_so_far(answer.message_id, answer.attempt, answer.text)
            self.queue(self.transport.message("answer", body), now)

    def turn(self, page: Page, now: float) -> None:
        """Takes a page of the past; the next follows when the client has read it."""
        if page.anew is not None:
            # An id says nothing about what came after it in another epoch.
            self.epoch = page.anew.epoch
            if self.wish.after is not None:
                body = texts.reset("epoch", self.epoch, page.anew.last_id)
                self.queue(self.transport.message("reset", body), now)
                self.queue(self.transport.message("hello", texts.hello(page.start, self.epoch)), now)
                self._tell_answers(page.anew.answers, now)
        for event in page.events:
            self.queue(self.transport.event(event.id, event.wire), now)
        self.last_id = page.events[-1].id if page.events else page.start
        self.catch_up_at = now if page.more else None

    def try_again(self, now: float) -> None:
        """The past could not be read: the feed goes on when it can, as no event may be passed over."""
        self.catch_up_at = now + _AGAIN_SECONDS

    def fall_behind(self, now: float) -> None:
        """Something was missed: the past is read from the last event that was told."""
        self.catch_up_at = now

    def give(self, frame: Frame, now: float) -> None:
        """Takes a frame that was announced."""
        if frame.id == 0:
            self.queue(self.transport.message(frame.event_type, frame.body), now)
        elif frame.id > self.last_id:
            self.last_id = frame.id
            if self._wanted is None or self._wanted(frame):
                self.queue(self.transport.event(frame.id, frame.body), now)

    def tell_bus(self, away: bool, now: float) -> None:
        """Tells that the server has lost Redis, or has it again, if that is news."""
        if away is not self.bus_away and self.greeted and not self.closing:
            self.bus_away = away
            self.queue(self.transport.message("bus", texts.bus(away)), now)

    def keep_alive(self, now: float) -> None:
        """Tells a client that has been silent for long that the feed lives."""
        self.heard_at = now
        if self.greeted and not self.closing:
            self.queue(self.transport.sign_of_life(texts.keepalive()), now)

    def end(self, code: int, reason: str) -> None:
        """Says the last words; nothing comes after them."""
        if not self.closing:
            last = self.transport.close if self.greeted else self.transport.refusal
            self.out += last(code, reason)
            self.closing = True

    # What goes out, and what comes in

    def queue(self, data: bytes, now: float) -> None:
        """Adds to what is to be sent."""
        if not self.out:
            self.progress_at = now
        self.out += data

    def sent(self, count: int, now: float) -> None:
        """Says that so much of `out` was taken by the socket."""
        if count:
            del self.out[:count]
            self.progress_at = now

    def receive(self, data: bytes, now: float) -> None:
        """Takes what the client sent. Raises wsproto's errors for what is no frame; then nobody is there to talk to."""
        if self.transport is not WEBSOCKET or self.closing:
            return
        if self._inbound is None:
            self._inbound = Inbound(self._terms.frame_limit_bytes)
        for event in self._inbound.receive(data):
            if isinstance(event, Said):
                self._hear(event.text, now)
            elif isinstance(event, Breach):
                self.end(event.code, event.reason)
            elif event.last or self.has_room:
                # Who asks and does not read the answers is owed no more of them (RFC 6455, 5.5.3).
                self.queue(event.data, now)
                self.closing = event.last

    def _hear(self, said: str, now: float) -> None:
        self.heard_at = now
        if not self.has_room:
            return
        if said.strip() == "ping":
            self.queue(frames.text(b"pong"), now)
            return
        with contextlib.suppress(orjson.JSONDecodeError):
            value = orjson.loads(said)
            if isinstance(value, dict) and value.get("type") == "ping":
                self.queue(frames.text(texts.pong()), now)

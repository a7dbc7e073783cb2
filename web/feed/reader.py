"""One client of the feed without its socket: the sessions that it follows, what goes out to it, what it says. No I/O.

Whoever serves a reader brings each session its pages of the past, writes `out` as far as the socket takes it and says
so with `sent`, and sees to what the client has `asked` for.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection

from web.access import Rights
from web.feed import frames, requests, texts
from web.feed.followed import Followed
from web.feed.inbound import Breach, Inbound, Said
from web.feed.pace import Pace
from web.feed.past import Beginning
from web.feed.states import ReaderState
from web.feed.terms import Terms
from web.feed.transports import BY_NAME, WEBSOCKET
from web.feed.wish import EVERYTHING, Wish
from web.policy import Scope

OUT_LIMIT_BYTES = 262_144
"""With so much unsent a client is given nothing more: frames wait, and beyond their limit are replayed later."""
Asked = requests.Subscribe | requests.Unsubscribe


class Reader:
    """The state of one feed. Times are those of one monotonic clock, in seconds, given by whoever serves it."""

    __slots__ = (
        "_awaits_pong",
        "_inbound",
        "_terms",
        "asked",
        "begun",
        "bus_away",
        "closing",
        "expires_at",
        "first_wish",
        "followed",
        "heard_at",
        "lost",
        "out",
        "progress_at",
        "quiet_since",
        "rights",
        "transport",
    )

    def __init__(self, wish: Wish, rights: Rights, terms: Terms, now: float) -> None:
        self.transport = BY_NAME[wish.transport]
        self.first_wish = wish
        """What the feed was opened for."""
        self.rights = rights
        self._terms = terms
        self._inbound: Inbound | None = None
        self.followed = [Followed(wish)]
        """The sessions; the one that the feed was opened for comes first."""
        self.asked: tuple[Asked, ...] = ()
        """What was asked for since this was emptied."""
        self.out = bytearray()
        self.begun = self.closing = self.bus_away = self.lost = self._awaits_pong = False
        """`lost`: nobody is there any more, though nothing was said."""
        self.progress_at = self.heard_at = self.quiet_since = now
        """When it last took something, said something, sent any byte."""
        self.expires_at = moment_of(rights.expires_at, now)

    # Going on in another process

    @classmethod
    def of(cls, state: ReaderState, terms: Terms, now: float) -> Reader:
        """Goes on where another process was. Raises KeyError when there is no such transport."""
        made = cls(Wish("", None, None, EVERYTHING, state.transport), state.rights, terms, now)
        made.followed = [Followed.of(one, now) for one in state.sessions]
        if state.sessions:
            made.first_wish = state.sessions[0].wish
        made.out += state.out
        made.begun, made.bus_away, made._awaits_pong = state.begun, state.bus_away, state.awaits_pong
        made.progress_at, made.heard_at, made.quiet_since = state.progress_at, state.heard_at, state.quiet_since
        made.expires_at = state.expires_at
        if state.inbound is not None:
            left = state.inbound.words_left, state.inbound.counted_at
            pace = Pace.of(terms.frames_per_second, terms.frames_burst, left)
            made._inbound = Inbound.of(terms.frame_limit_bytes, pace, state.inbound)
        return made

    @property
    def state(self) -> ReaderState:
        """Enough to go on in another process; not for a reader that is `closing`."""
        return ReaderState(
            self.transport.name,
            self.rights,
            tuple(one.state for one in self.followed),
            None if self._inbound is None else self._inbound.state,
            bytes(self.out),
            self.begun,
            self.bus_away,
            self._awaits_pong,
            self.progress_at,
            self.heard_at,
            self.quiet_since,
            self.expires_at,
        )

    # What is asked of whoever serves it

    @property
    def has_room(self) -> bool:
        """Whether it may be given more."""
        return not self.closing and len(self.out) < OUT_LIMIT_BYTES

    @property
    def keepalive_at(self) -> float:
        """When it is told that the feed lives, if it stays silent."""
        return self.heard_at + self._terms.keepalive_seconds

    @property
    def next_expiry(self) -> float | None:
        """When the first token's time is over."""
        ends = [one.expires_at for one in self.followed if one.expires_at is not None]
        if self.expires_at is not None:
            ends.append(self.expires_at)
        return min(ends, default=None)

    @property
    def key_ids(self) -> frozenset[str]:
        """The stored keys with which the feed, or one of its sessions, ends."""
        found = () if self.closing else (self.rights.key_id, *[one.key_id for one in self.followed])
        return frozenset(filter(None, found))

    def is_stuck(self, now: float) -> bool:
        """Whether it has not read for too long."""
        return bool(self.out) and now - self.progress_at > self._terms.send_timeout_seconds

    # What it is told

    def greet(self, followed: Followed, beginning: Beginning, now: float) -> None:
        """Begins with one of the sessions, once its channel is followed."""
        if not self.begun:
            self.queue(self.transport.head(self._terms.pause_ms(), self.rights.origin), now)
        self.queue(followed.greet(beginning, now), now)

    def tell_bus(self, away: bool, now: float) -> None:
        """Tells that the server has lost Redis, or has it again, if that is news."""
        if away is not self.bus_away and self.begun and not self.closing:
            self.bus_away = away
            self.queue(self.transport.message("bus", texts.bus(away)), now)

    def tell(self, body: bytes, now: float) -> None:
        """Tells a WebSocket's client something as JSON."""
        if not self.closing:
            self.queue(frames.text(body), now)

    def refuse(self, session_id: str | None, reason: str, now: float) -> None:
        """Says why a session is not followed, or not left."""
        self._terms.tally.count(f"refused:{reason}")
        self.tell(texts.refused(session_id, reason), now)

    def end(self, code: int, reason: str) -> None:
        """Says the last words; nothing comes after them."""
        if not self.closing:
            if self.begun:
                self.out += self.transport.close(code, reason)
            else:
                self.out += self.transport.refusal(code, reason, self.rights.origin)
            self.closing = True
            self._terms.tally.count(f"closed:{code}")

    def end_for_now(self, why: str) -> None:
        """Says the last words to a client that is to come back, after a pause of its own."""
        self.end(frames.RESTART, texts.come_back(why, self._terms.pause_ms()))

    def give_up(self) -> None:
        """Says the last words to a client that has not read; mostly its socket takes them no more."""
        self.end(frames.TOO_SLOW, "nothing was read for too long")

    # The clock

    def look_at_the_clock(self, now: float) -> None:
        """Does what is due: a sign of life, a ping, the end of a token's time."""
        if self.closing or not self.begun:
            return
        if self.expires_at is not None and now >= self.expires_at:
            self.end(frames.EXPIRED, texts.EXPIRED)
            return
        if self.transport is WEBSOCKET and now >= self.quiet_since + self._terms.ping_seconds:
            self._ping(now)
        if now >= self.keepalive_at:
            self.heard_at = now
            self.queue(self.transport.sign_of_life(texts.keepalive()), now)

    def _ping(self, now: float) -> None:
        self.quiet_since = now
        if self._awaits_pong:
            self.lost = True
            self._terms.tally.count("half_open")
        elif not self.out:
            # Who has not taken all that is there yet could not see a ping; they are watched by what they take.
            self._awaits_pong = True
            self.queue(frames.PING_FRAME, now)

    def take_expired(self, now: float) -> list[Followed]:
        """The further sessions whose token's time is over; whoever serves it ends them."""
        return [one for one in self.followed if one.expires_at is not None and now >= one.expires_at]

    def take_revoked(self, ended: Collection[str]) -> list[Followed]:
        """The further sessions that these keys have opened; the whole feed ends if one of them has opened that."""
        if self.begun and self.rights.key_id in ended:
            self.end(frames.EXPIRED, texts.REVOKED)
        return [] if self.closing else [one for one in self.followed if one.key_id in ended]

    # What goes out, and what comes in

    def queue(self, data: bytes, now: float) -> None:
        """Adds to what is to be sent."""
        self.begun = True
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
        awaited, self._awaits_pong, self.quiet_since = self._awaits_pong, False, now
        if self._inbound is None:
            if awaited and frames.is_pong(data):
                # Thousands of clients that never say anything else need no parser.
                return
            terms = self._terms
            pace = Pace(terms.frames_per_second, terms.frames_burst, now)
            self._inbound = Inbound(terms.frame_limit_bytes, pace)
        for event in self._inbound.receive(data, now):
            if isinstance(event, Said):
                self._hear(event.text, now)
            elif isinstance(event, Breach):
                self.end(event.code, event.reason)
                return
            elif event.last or self.has_room:
                # Who asks and does not read the answers is owed no more of them (RFC 6455, 5.5.3).
                self.queue(event.data, now)
                self.closing = event.last

    def _hear(self, said: str, now: float) -> None:
        self.heard_at = now
        match requests.read(said):
            case requests.Ping() | requests.Unclear() if not self.has_room:
                return
            case requests.Ping(in_json):
                self.tell(texts.pong() if in_json else b"pong", now)
            case requests.Subscribe() | requests.Unsubscribe() as asked:
                self.asked = (*self.asked, asked)
            case requests.Unclear(session_id):
                self.refuse(session_id, "invalid", now)
            case requests.Renew(token):
                self._renew(token, now)
            case None:
                self._terms.tally.count("not_understood")

    def _renew(self, given: str, now: float) -> None:
        """Prolongs what a token has opened: only the same session's and owner's token does."""
        token, accepted = self._terms.tokens.read(given), False
        if token is not None and Scope.READ in token.scopes:
            ends = moment_of(token.expires_at, now)
            if (self.rights.session_id, self.rights.id) == (token.session_id, token.owner):
                self.expires_at, accepted = ends, True
                self.rights = dataclasses.replace(self.rights, key_id=token.key_id)
            for one in self.followed:
                if one.expires_at is not None and (one.wish.session_id, one.owner) == (token.session_id, token.owner):
                    one.expires_at, one.key_id, accepted = ends, token.key_id, True
        self.tell(texts.token_accepted(token.expires_at) if token and accepted else texts.token_refused(), now)


def moment_of(unix_seconds: float | None, now: float) -> float | None:
    """A moment in unix seconds on the clock on which it is `now`."""
    return None if unix_seconds is None else now + unix_seconds - time.time()

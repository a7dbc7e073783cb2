"""The sessions of one client that a thread serves: their mailboxes, and the client's wishes for more or fewer."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator

from pipeline.errors import BusUnavailable
from pipeline.settings import Settings
from web.feed import texts
from web.feed.admission import Admission
from web.feed.followed import Followed
from web.feed.listener import Listener, Mailbox
from web.feed.past import Past
from web.feed.reader import Reader, moment_of
from web.feed.requests import Subscribe, Unsubscribe
from web.feed.seats import Seats
from web.feed.tally import tally


class Sessions:
    """Used by the connection's thread alone, which waits in it for Redis and the database, each time with an end."""

    def __init__(
        self,
        settings: Settings,
        reader: Reader,
        past: Past,
        admission: Admission,
        seats: Seats,
        listener: Listener,
        wake: Callable[[], None],
    ) -> None:
        self._sessions_limit = settings.feed_sessions_limit
        self._queue_limit_bytes = settings.feed_queue_limit_bytes
        self._reader = reader
        self._past = past
        self._admission = admission
        self._seats = seats
        self._listener = listener
        self._wake = wake
        self._open: dict[Followed, tuple[Mailbox, contextlib.ExitStack]] = {}

    def __iter__(self) -> Iterator[tuple[Followed, Mailbox]]:
        """Each session with its mailbox."""
        return iter([(followed, mailbox) for followed, (mailbox, _) in self._open.items()])

    @property
    def bus_away(self) -> bool:
        """Whether the process has lost Redis."""
        return any(mailbox.bus_away for mailbox, _ in self._open.values())

    def open(self, followed: Followed, now: float) -> None:
        """Follows a session, whose place is taken already, and greets. Raises BusUnavailable."""
        # The further sessions of a client share what the first one has.
        share = self._sessions_limit if followed.further else 1
        mailbox = Mailbox(
            self._queue_limit_bytes // max(1, share), self._wake, functools.partial(tally.count, "behind")
        )
        with contextlib.ExitStack() as stack:
            if followed.further:
                stack.callback(self._seats.leave, followed.wish.session_id)
            for channel in followed.wish.channels:
                stack.enter_context(self._listener.following(channel, mailbox))
            mailbox.begin()
            self._reader.greet(followed, self._past.beginning(followed.wish), now)
            self._open[followed] = mailbox, stack.pop_all()

    def leave(self, followed: Followed) -> None:
        """Follows it no more."""
        self._open.pop(followed)[1].close()
        self._reader.followed.remove(followed)

    def close(self) -> None:
        """The connection has ended."""
        for followed in list(self._open):
            self.leave(followed)

    def end_expired(self, now: float) -> None:
        """Ends the sessions whose token's time is over."""
        self._end(self._reader.take_expired(now), "expired", now)

    def end_revoked(self, ended: Collection[str], now: float) -> None:
        """Ends the sessions that keys have opened which open nothing any more."""
        self._end(self._reader.take_revoked(ended), "revoked", now)

    def _end(self, sessions: Collection[Followed], reason: str, now: float) -> None:
        for followed in sessions:
            self.leave(followed)
            self._reader.tell(texts.unsubscribed(followed.wish.session_id, reason), now)

    def see_to_asked(self, now: float) -> None:
        """Does what the client has asked for."""
        asked, self._reader.asked = self._reader.asked, ()
        for one in asked:
            if isinstance(one, Unsubscribe):
                self._unsubscribe(one.session_id, now)
            else:
                refusal = self._subscribe(one, now)
                if refusal:
                    self._reader.refuse(one.wish.session_id, refusal, now)

    def _find(self, session_id: str) -> Followed | None:
        return next((one for one in self._open if one.wish.session_id == session_id), None)

    def _unsubscribe(self, session_id: str, now: float) -> None:
        followed = self._find(session_id)
        if followed is None:
            self._reader.refuse(session_id, "not_found", now)
        else:
            self.leave(followed)
            self._reader.tell(texts.unsubscribed(session_id), now)

    def _subscribe(self, asked: Subscribe, now: float) -> str | None:
        """Follows a further session, in place of what was followed of it; gives why not."""
        session_id = asked.wish.session_id
        before = self._find(session_id)
        if before is None and len(self._open) >= self._sessions_limit:
            return "too_many"
        grant = self._admission.judge(self._reader.rights, asked)
        if isinstance(grant, str):
            return grant
        if before is not None:
            self.leave(before)
        if not self._seats.join(session_id):
            return "too_many"
        followed = Followed(asked.wish, True, grant.owner, moment_of(grant.expires_at, now), grant.key_id)
        self._reader.followed.append(followed)
        try:
            self.open(followed, now)
        except BusUnavailable:
            self._reader.followed.remove(followed)
            return "unavailable"
        return None

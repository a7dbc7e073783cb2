"""Further sessions over one WebSocket: what a client asks for while its feed is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from pipeline.settings import Settings
from web.feed import texts
from web.feed.admission import Admission, Grant
from web.feed.followed import Followed
from web.feed.reader import moment_of
from web.feed.requests import Subscribe, Unsubscribe
from web.feed.seats import Seats
from web.relay.client import Client, Following
from web.relay.errands import Errands


class Further:
    """Sees to it. `follow` begins with a session, `leave` ends one, `flush` sends what is to be sent."""

    def __init__(
        self,
        settings: Settings,
        admission: Admission,
        seats: Seats,
        errands: Errands,
        follow: Callable[[Client, Followed], None],
        leave: Callable[[Following], None],
        flush: Callable[[Client], None],
    ) -> None:
        self._sessions_limit = settings.feed_sessions_limit
        self._admission = admission
        self._seats = seats
        self._errands = errands
        self._follow = follow
        self._leave = leave
        self._flush = flush

    def see_to_asked(self, client: Client, now: float) -> None:
        """Does what a client has asked for."""
        asked, client.reader.asked = client.reader.asked, ()
        for one in asked:
            if isinstance(one, Unsubscribe):
                self._unsubscribe(client, one.session_id, now)
            else:
                self._subscribe(client, one, now)

    def end_expired(self, client: Client, now: float) -> None:
        """Ends the sessions whose token's time is over."""
        for followed in client.reader.take_expired(now):
            self.end(client, followed, texts.unsubscribed(followed.wish.session_id, "expired"))

    def end_revoked(self, client: Client, ended: Collection[str]) -> None:
        """Ends the sessions that keys have opened which open nothing any more."""
        for followed in client.reader.take_revoked(ended):
            self.end(client, followed, texts.unsubscribed(followed.wish.session_id, "revoked"))

    def end(self, client: Client, followed: Followed, last_word: bytes) -> None:
        """Ends one session of a client, which is told so."""
        following = client.following(followed.wish.session_id)
        if following is not None:
            self._leave(following)
        client.reader.tell(last_word, time.monotonic())
        self._flush(client)

    def _unsubscribe(self, client: Client, session_id: str, now: float) -> None:
        asking = tuple(one for one in client.asking if one.wish.session_id != session_id)
        was_asked, client.asking = len(asking) < len(client.asking), asking
        following = client.following(session_id)
        if following is not None:
            self._leave(following)
        elif not was_asked:
            client.reader.refuse(session_id, "not_found", now)
            return
        client.reader.tell(texts.unsubscribed(session_id), now)

    def _subscribe(self, client: Client, asked: Subscribe, now: float) -> None:
        session_id = asked.wish.session_id
        # What is asked again goes before what was asked first.
        others = tuple(one for one in client.asking if one.wish.session_id != session_id)
        names = {one.wish.session_id for one in others} | {one.followed.wish.session_id for one in client.followings}
        if len(names | {session_id}) > max(self._sessions_limit, len(names)):
            client.reader.refuse(session_id, "too_many", now)
            return
        client.asking = others
        self.ask(client, asked)

    def ask(self, client: Client, asked: Subscribe) -> None:
        """Finds out whether a client may follow a session, and has it follow it then."""
        client.asking = (*client.asking, asked)
        rights = client.reader.rights
        self._errands.ask(
            lambda: self._admission.judge(rights, asked), lambda result: self._judged(client, asked, result)
        )

    def _judged(self, client: Client, asked: Subscribe, result: Grant | str | Exception) -> None:
        if client.gone or client.reader.closing or not any(one is asked for one in client.asking):
            return
        client.asking = tuple(one for one in client.asking if one is not asked)
        now, session_id = time.monotonic(), asked.wish.session_id
        if not isinstance(result, Grant):
            self._refuse(client, session_id, result if isinstance(result, str) else "unavailable", now)
            return
        before = client.following(session_id)
        if before is not None:
            self._leave(before)
        if not self._seats.join(session_id):
            self._refuse(client, session_id, "too_many", now)
        else:
            followed = Followed(asked.wish, True, result.owner, moment_of(result.expires_at, now), result.key_id)
            client.reader.followed.append(followed)
            self._follow(client, followed)

    def _refuse(self, client: Client, session_id: str, reason: str, now: float) -> None:
        client.reader.refuse(session_id, reason, now)
        self._flush(client)

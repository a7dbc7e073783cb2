"""Whether a client may follow a further session over its open feed: the same question as when a feed is opened."""

from __future__ import annotations

import dataclasses

from pipeline.errors import StoreUnavailable
from pipeline.settings import Settings
from pipeline.store import Store
from web.access import Rights, may_follow
from web.feed.requests import Subscribe
from web.keyring import KeyRing
from web.policy import Scope
from web.tokens import SessionTokens


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """A session may be followed; the fields (`expires_at` in unix seconds) are those of the token that opened it."""

    owner: str = ""
    expires_at: float | None = None
    key_id: str | None = None


class Admission:
    """Asks the database; every call waits."""

    def __init__(self, settings: Settings, store: Store, ring: KeyRing | None = None) -> None:
        self._store = store
        self._open_feeds = settings.open_feeds
        self._tokens = SessionTokens(settings)
        self.ring = ring or KeyRing(settings, store)

    def judge(self, rights: Rights, asked: Subscribe) -> Grant | str:
        """A grant, or why there is none: not_found, forbidden, unavailable."""
        session_id = asked.wish.session_id
        if asked.token is not None:
            return self._by_token(asked.token, session_id)
        try:
            allowed = may_follow(rights, session_id, self._store, self._open_feeds)
        except StoreUnavailable:
            return "unavailable"
        if allowed:
            return Grant()
        # Unknown and foreign look the same; who has shown nothing is told that something must be shown.
        return "not_found" if rights.id else "forbidden"

    def _by_token(self, given: str, session_id: str) -> Grant | str:
        token = self._tokens.read(given)
        if token is None or token.session_id != session_id or Scope.READ not in token.scopes:
            return "forbidden"
        try:
            if token.key_id is not None and not self.ring.lives(token.key_id):
                return "forbidden"
        except StoreUnavailable:
            return "unavailable"
        return Grant(token.owner, token.expires_at, token.key_id)

"""Whether a client may follow a further session over its open feed: the same question as when a feed is opened."""

from __future__ import annotations

import dataclasses

from pipeline.errors import StoreUnavailable
from pipeline.settings import Settings
from pipeline.store import Store
from web.access import Rights, may_follow
from web.feed.requests import Subscribe
from web.tokens import SessionTokens


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """A session may be followed; `owner` and `expires_at` (unix seconds) are those of the token that opened it."""

    owner: str = ""
    expires_at: float | None = None


class Admission:
    """Asks the database; every call waits."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._open_feeds = settings.open_feeds
        self._tokens = SessionTokens(settings)

    def judge(self, rights: Rights, asked: Subscribe) -> Grant | str:
        """A grant, or why there is none: not_found, forbidden, unavailable."""
        session_id = asked.wish.session_id
        if asked.token is not None:
            token = self._tokens.read(asked.token)
            if token is None or token.session_id != session_id:
                return "forbidden"
            return Grant(token.owner, token.expires_at)
        try:
            allowed = may_follow(rights, session_id, self._store, self._open_feeds)
        except StoreUnavailable:
            return "unavailable"
        if allowed:
            return Grant()
        # Unknown and foreign look the same; who has shown nothing is told that something must be shown.
        return "not_found" if rights.id else "forbidden"

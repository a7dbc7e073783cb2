"""Who may read a session's feed, when it is opened and while it is open. No Flask."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid

from pipeline.store import Store, conversations
from web.policy import is_theirs


@dataclasses.dataclass(frozen=True, slots=True)
class Rights:
    """What whoever opened a feed may read. Without an `id` nothing was shown: open feeds alone.

    `expires_at` (unix seconds) is when a session token's time is over. `key_id` is the stored key that was shown, or
    that made the token: the feed ends with it. `origin` is the allowed origin of the page that reads the answer.
    """

    id: str = ""
    session_id: str | None = None
    owns_only: bool = False
    expires_at: float | None = None
    key_id: str | None = None
    origin: str = ""

    @property
    def user(self) -> str:
        """Whose feeds are counted together; empty for an application's key, behind which are many users.

        A token that an application has made stands for whoever uses that session.
        """
        if self.session_id is not None and not self.id.startswith("visitor:"):
            return f"{self.id}:{self.session_id}"
        return self.id if self.owns_only or self.session_id is not None else ""

    @property
    def is_application(self) -> bool:
        """Whether an application's key was shown."""
        return bool(self.id) and self.session_id is None and not self.owns_only


def may_follow(rights: Rights, session_id: str, store: Store, open_feeds: bool) -> bool:
    """Whether the session's feed may be read. Raises StoreUnavailable."""
    if not rights.id:
        return open_feeds and is_unguessable(session_id)
    if rights.is_application:
        return True
    session = conversations.find_session(store, session_id)
    return is_theirs(rights, session.owner if session else None, session_id)


def is_unguessable(session_id: str) -> bool:
    """Whether knowing the id says something about who knows it."""
    with contextlib.suppress(ValueError):
        return uuid.UUID(session_id).version == 4
    return False

"""Who may use a session: the one rule, for requests and for feeds that are open already. No Flask."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from typing import Protocol

from pipeline.store import Store, conversations
from pipeline.store.conversations import Session


class Bound(Protocol):
    """Somebody, and what binds them: to one session, or to the sessions that they own."""

    @property
    def id(self) -> str:
        """Their name."""

    @property
    def session_id(self) -> str | None:
        """The one session that they may use."""

    @property
    def owns_only(self) -> bool:
        """Whether they may use their own sessions alone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rights:
    """What whoever opened a feed may read. Without an `id` nothing was shown: open feeds alone.

    `expires_at` (unix seconds) is when a session token's time is over; None: keys and cookies are not asked again.
    """

    id: str = ""
    session_id: str | None = None
    owns_only: bool = False
    expires_at: float | None = None

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


def may_use(who: Bound, session_id: str, session: Session | None, *, make: bool = False) -> bool:
    """Whether they may use the session, whose row is given.

    An application's key may use any session. A token opens its own one, a visitor those they own; with `make` a
    session that does not exist yet may be used by whoever is not bound.
    """
    if who.session_id is not None and who.session_id != session_id:
        return False
    if who.owns_only and (session is None or session.owner != who.id):
        return False
    return session is not None or make


def may_follow(rights: Rights, session_id: str, store: Store, open_feeds: bool) -> bool:
    """Whether the session's feed may be read. Raises StoreUnavailable."""
    if not rights.id:
        return open_feeds and is_unguessable(session_id)
    if rights.is_application:
        return True
    session = conversations.find_session(store, session_id)
    return may_use(rights, session_id, session, make=rights.session_id is not None)


def is_unguessable(session_id: str) -> bool:
    """Whether knowing the id says something about who knows it."""
    with contextlib.suppress(ValueError):
        return uuid.UUID(session_id).version == 4
    return False

"""Who may do what with whose session: the one rule, without Flask, so that every transport can ask it."""

from __future__ import annotations

import dataclasses
import enum
from typing import Protocol


class Scope(enum.StrEnum):
    """What may be done. The first four names are the first seed's permissions."""

    READ = "Read"
    WRITE = "Write"
    DELETE = "Delete"
    ADMIN = "Admin"
    EVENTS = "Events"


ALL = frozenset(Scope)
OF_A_KEY: dict[str, frozenset[Scope]] = {
    "chat:write": frozenset({Scope.WRITE}),
    "events:read": frozenset({Scope.READ}),
    "events:write": frozenset({Scope.EVENTS}),
    "admin": ALL,
}
"""The scopes that a stored key is given by name, and what each lets it do."""


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


LOGIN = "login:"
"""What the `key_id` of an administrator's login begins with; no stored key's does."""


@dataclasses.dataclass(frozen=True)
class Principal:
    """Who is asking. `session_id` binds them to one session; `owns_only` to the sessions that they own.

    `expires_at` is a time in Unix seconds, None for what does not end. `key_id` is the stored key, or the login
    (`LOGIN`), that the credential is, or was made by.
    """

    id: str
    scopes: frozenset[Scope]
    session_id: str | None = None
    owns_only: bool = False
    expires_at: float | None = None
    key_id: str | None = None


@dataclasses.dataclass(frozen=True)
class Target:
    """A session that somebody asks for; `owner` is None while nobody has made it."""

    session_id: str
    owner: str | None
    must_exist: bool = True


def may(principal: Principal, action: Scope, owner: str | None, session_id: str) -> bool:
    """Whether the principal may do this with the session, which `owner` has made (None: nobody yet).

    An application's key may use any session, a token its own one, a visitor or a key of one user those that they own.
    """
    return action in principal.scopes and is_theirs(principal, owner, session_id)


def is_theirs(principal: Bound, owner: str | None, session_id: str) -> bool:
    """Whether the principal may know that there is such a session."""
    if principal.session_id is not None and principal.session_id != session_id:
        return False
    return not principal.owns_only or principal.session_id is not None or owner == principal.id

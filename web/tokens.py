"""Tokens, which open one session, or one user's own feed, for a while. No Flask."""

from __future__ import annotations

import dataclasses

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from pipeline.settings import Settings
from web.policy import Scope

OF_A_TOKEN = frozenset({Scope.READ, Scope.WRITE, Scope.EVENTS})
"""The most that a session's token lets its bearer do."""
OF_A_USER_TOKEN = frozenset({Scope.READ, Scope.EVENTS})
"""The most that a user's token lets its bearer do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """What a token says; `expires_at` in unix seconds. `key_id`: it dies with this stored key."""

    session_id: str
    owner: str
    expires_at: float
    scopes: frozenset[Scope] = OF_A_TOKEN
    key_id: str | None = None


class SessionTokens:
    """Makes and reads tokens. Without a secret key none is read: anybody could have signed it."""

    __slots__ = ("_signer", "_ttl_seconds")

    def __init__(self, settings: Settings) -> None:
        self._ttl_seconds = settings.token_ttl_seconds
        self._signer = URLSafeTimedSerializer(settings.secret_key, salt="session-token")
        if not settings.secret_key:
            self._ttl_seconds = 0

    def make(
        self, session_id: str, owner: str, scopes: frozenset[Scope] = OF_A_TOKEN, key_id: str | None = None
    ) -> str:
        """A token for one session's feed and messages."""
        return self._signer.dumps([session_id, owner, sorted(scopes), key_id])

    def read(self, token: str) -> Token | None:
        """What a token says that is still valid; whether its key lives is another question."""
        if not self._ttl_seconds:
            return None
        try:
            said, signed_at = self._signer.loads(token, max_age=self._ttl_seconds, return_timestamp=True)
            session_id, owner, names, key_id = said
            scopes = frozenset(Scope(name) for name in names)
        except (BadSignature, ValueError, TypeError):
            return None
        expires_at = signed_at.timestamp() + self._ttl_seconds
        return Token(str(session_id), str(owner), expires_at, scopes, None if key_id is None else str(key_id))

    def has_expired(self, token: str) -> bool:
        """Whether it was a token once: signed here, but its time is over."""
        try:
            self._signer.loads(token, max_age=self._ttl_seconds)
        except SignatureExpired:
            return True
        except BadSignature:
            return False
        return False


@dataclasses.dataclass(frozen=True, slots=True)
class UserToken:
    """What a user's token says; as `Token`."""

    user_id: str
    expires_at: float
    scopes: frozenset[Scope]
    key_id: str | None = None


class UserTokens:
    """Makes and reads tokens for a user's own feed, as browsers need them, whose EventSource sends no headers."""

    __slots__ = ("_signer", "_ttl_seconds")

    def __init__(self, settings: Settings) -> None:
        self._ttl_seconds = settings.token_ttl_seconds if settings.secret_key else 0
        # Of another salt: neither kind of token is ever read as the other.
        self._signer = URLSafeTimedSerializer(settings.secret_key, salt="user-token")

    def make(self, user_id: str, scopes: frozenset[Scope], key_id: str | None = None) -> str:
        """A token of a user. `key_id`: it dies with this stored key."""
        return self._signer.dumps([user_id, sorted(scopes & OF_A_USER_TOKEN), key_id])

    def read(self, token: str) -> UserToken | None:
        """What a token says that is still valid; whether its key lives is another question."""
        if not self._ttl_seconds:
            return None
        try:
            said, signed_at = self._signer.loads(token, max_age=self._ttl_seconds, return_timestamp=True)
            user_id, names, key_id = said
            scopes = frozenset(Scope(name) for name in names)
        except (BadSignature, ValueError, TypeError):
            return None
        expires_at = signed_at.timestamp() + self._ttl_seconds
        return UserToken(str(user_id), expires_at, scopes, None if key_id is None else str(key_id))

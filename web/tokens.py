"""Session tokens: what opens one session's feed and messages for a while. No Flask."""

from __future__ import annotations

import dataclasses

from itsdangerous import BadSignature, URLSafeTimedSerializer

from pipeline.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """What a token says; `expires_at` in unix seconds."""

    session_id: str
    owner: str
    expires_at: float


class SessionTokens:
    """Makes and reads tokens. Without a secret key none is read: anybody could have signed it."""

    __slots__ = ("_signer", "_ttl_seconds")

    def __init__(self, settings: Settings) -> None:
        self._ttl_seconds = settings.token_ttl_seconds
        self._signer = URLSafeTimedSerializer(settings.secret_key, salt="session-token")
        if not settings.secret_key:
            self._ttl_seconds = 0

    def make(self, session_id: str, owner: str) -> str:
        """A token for one session's feed and messages."""
        return self._signer.dumps([session_id, owner])

    def read(self, token: str) -> Token | None:
        """What a token says that is still valid."""
        if not self._ttl_seconds:
            return None
        try:
            said, signed_at = self._signer.loads(token, max_age=self._ttl_seconds, return_timestamp=True)
            session_id, owner = said
        except (BadSignature, ValueError, TypeError):
            return None
        return Token(str(session_id), str(owner), signed_at.timestamp() + self._ttl_seconds)

"""Who is asking, and what they may do: keys, session tokens, the page's cookie."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import hmac
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, Request, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from pipeline.settings import Settings
from pipeline.store.conversations import Session
from web.access import may_use
from web.errors import Problem
from web.tokens import SessionTokens

COOKIE = "spanfeed_visitor"
_COOKIE_SECONDS = 30 * 24 * 3600
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
F = TypeVar("F", bound=Callable[..., Any])


class Scope(enum.StrEnum):
    """What a principal may do; the names are the first seed's permissions."""

    READ = "Read"
    WRITE = "Write"
    DELETE = "Delete"
    ADMIN = "Admin"


_ALL = frozenset(Scope)


@dataclasses.dataclass(frozen=True)
class Principal:
    """Who is asking. `session_id` binds them to one session; `owns_only` to the sessions that they own."""

    id: str
    scopes: frozenset[Scope]
    session_id: str | None = None
    owns_only: bool = False
    expires_at: float | None = None
    """When a session token's time is over, in unix seconds."""


class Doors:
    """The keys and the signatures of one app."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        some = frozenset({Scope.READ, Scope.WRITE})
        keys = [
            (settings.api_key, Principal("key:main", _ALL)),
            (settings.admin_api_key, Principal("key:admin", _ALL)),
            (settings.reader_api_key, Principal("key:app", some)),
        ]
        self._keys = [(_digest(key), principal) for key, principal in keys if key]
        self._tokens = SessionTokens(settings)
        self._cookies = URLSafeTimedSerializer(settings.secret_key, salt="visitor-cookie")

    def by_key(self, key: str) -> Principal | None:
        """The principal of a key; every key is compared, in constant time each."""
        given, found = _digest(key), None
        for digest, principal in self._keys:
            if hmac.compare_digest(digest, given):
                found = principal
        return found

    def make_token(self, session_id: str, owner: str) -> str:
        """A token for one session's feed and messages."""
        return self._tokens.make(session_id, owner)

    def by_token(self, token: str) -> Principal | None:
        """The principal of a session token that is still valid."""
        said = self._tokens.read(token)
        if said is None:
            return None
        scopes = frozenset({Scope.READ, Scope.WRITE})
        return Principal(said.owner, scopes, said.session_id, expires_at=said.expires_at)

    def make_cookie(self) -> tuple[str, str]:
        """A new visitor's id and cookie."""
        visitor = f"visitor:{uuid.uuid4()}"
        return visitor, self._cookies.dumps(visitor)

    def by_cookie(self, cookie: str) -> Principal | None:
        """The visitor of a cookie; nobody where visitors may not chat (any more)."""
        if not self.settings.public_chat_enabled:
            return None
        try:
            visitor = self._cookies.loads(cookie, max_age=_COOKIE_SECONDS)
        except BadSignature:
            return None
        return Principal(str(visitor), frozenset({Scope.READ, Scope.WRITE, Scope.DELETE}), None, owns_only=True)

    def is_own_origin(self, asked: Request) -> bool:
        """Whether the request's Origin is this server's own or an allowed one."""
        origin = asked.headers.get("Origin", "").lower()
        if origin in self.settings.origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and parts.netloc == asked.host.lower()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, {"WWW-Authenticate": "ApiKey"})


def _identify(asked: Request, doors: Doors) -> Principal | None:
    """The principal of the request's credentials, None without any. Raises Problem for wrong ones."""
    bearer = asked.headers.get("Authorization", "")
    given = [asked.headers.get("X-API-Key", ""), bearer[7:].strip() if bearer.lower().startswith("bearer ") else ""]
    keys = {key for key in given if key}
    if len(keys) > 1:
        raise Problem(400, "ambiguous_credentials", "Two different keys were given; send one.")
    if keys:
        key = keys.pop()
        principal = doors.by_key(key) or doors.by_token(key)
        if principal is None:
            raise _unauthenticated("Invalid API key")
        return principal
    token = asked.args.get("token")
    if token:
        # Only a short-lived token may stand in an address; a key never does.
        principal = doors.by_token(token)
        if principal is None:
            raise _unauthenticated("Invalid or expired token")
        return principal
    cookie = asked.cookies.get(COOKIE)
    visitor = doors.by_cookie(cookie) if cookie else None
    upgrade = asked.headers.get("Upgrade", "").lower() == "websocket"
    if visitor is not None and (upgrade or asked.method not in _SAFE_METHODS) and not doors.is_own_origin(asked):
        raise Problem(403, "foreign_origin", "This page may not use the visitor's cookie here.")
    return visitor


def register(app: Flask) -> None:
    """Finds out who is asking, before every request; whether they may is each route's own matter."""

    @app.before_request
    def identify() -> None:
        from web.state import web_state

        if request.endpoint == "static":
            return
        doors = web_state().doors
        g.principal = None
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if upgrade and request.headers.get("Origin") and not doors.is_own_origin(request):
            raise Problem(403, "foreign_origin", "This origin is not allowed to connect.")
        try:
            g.principal = _identify(request, doors)
        except Problem as problem:
            # Told where somebody must be known: a public route answers whoever asks.
            g.problem = problem


def principal() -> Principal:
    """Who is asking. Raises Problem (mostly 401)."""
    if g.get("problem") is not None:
        raise cast(Problem, g.problem)
    found = g.get("principal")
    if found is None:
        raise _unauthenticated("API key required. Please provide X-API-Key header.")
    return cast(Principal, found)


def needs(scope: Scope) -> Callable[[F], F]:
    """Lets only principals with the scope into a view."""

    def decorate(view: F) -> F:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if scope not in principal().scopes:
                raise Problem(403, "insufficient_scope", f"{scope} permission required")
            return view(*args, **kwargs)

        guarded.spanfeed_scope = scope  # type: ignore[attr-defined]
        return cast(F, guarded)

    return decorate


def not_found() -> Problem:
    """A session that is unknown, or not the asker's: the two look the same."""
    return Problem(404, "not_found", "Chat session not found")


def authorize(session_id: str, session: Session | None, *, make: bool = False) -> None:
    """Lets the asker at the session as `web.access.may_use` has it, or raises Problem (404)."""
    if not may_use(principal(), session_id, session, make=make):
        raise not_found()

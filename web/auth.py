"""Who is asking: keys, session tokens, the page's cookie; what they may do is judged by `web.policy`."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from pipeline.errors import StoreUnavailable
from pipeline.settings import Settings
from web.administrators import Administrators
from web.errors import Problem, unavailable
from web.keyring import KeyRing, key_id_of
from web.policy import ALL, Principal, Scope, Target, may
from web.refusals import Refusal
from web.tokens import OF_A_TOKEN, SessionTokens, UserTokens

COOKIE = "spanfeed_visitor"
ADMIN_COOKIES = {True: "__Host-spanfeed_admin", False: "spanfeed_admin"}
"""By whether the request came over TLS."""
_COOKIE_SECONDS = 30 * 24 * 3600
_FORMS = ("application/json", "application/problem+json", "text/event-stream")
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
OF_A_VISITOR = frozenset({Scope.READ, Scope.WRITE, Scope.DELETE, Scope.EVENTS})
F = TypeVar("F", bound=Callable[..., Any])
__all__ = ["COOKIE", "Doors", "Principal", "Scope", "Target", "authorize", "needs", "principal"]


class Doors:
    """The keys and the signatures of one app."""

    def __init__(
        self, settings: Settings, ring: KeyRing | None = None, administrators: Administrators | None = None
    ) -> None:
        self.settings = settings
        self.administrators = administrators
        self.ring = ring
        """The keys that are stored; None where only the settings' keys open."""
        some = frozenset({Scope.READ, Scope.WRITE, Scope.EVENTS})
        keys = [
            (settings.api_key, Principal("key:main", ALL)),
            (settings.admin_api_key, Principal("key:admin", ALL)),
            (settings.reader_api_key, Principal("key:app", some)),
        ]
        self._keys = [(_digest(key), principal) for key, principal in keys if key]
        self._tokens = SessionTokens(settings)
        self.user_tokens = UserTokens(settings)
        self._cookies = URLSafeTimedSerializer(settings.secret_key, salt="visitor-cookie")

    def by_key(self, key: str) -> Principal | None:
        """The principal of a key; every key of the settings is compared, in constant time each.

        Raises StoreUnavailable when the key may be a stored one and nobody can tell.
        """
        given, found = _digest(key), None
        for digest, principal in self._keys:
            if hmac.compare_digest(digest, given):
                found = principal
        if found is None and self.ring is not None:
            return self.ring.find(key)
        return found

    def make_token(
        self, session_id: str, owner: str, scopes: frozenset[Scope] = OF_A_TOKEN, key_id: str | None = None
    ) -> str:
        """A token for one session's feed and messages. `key_id`: it dies with this stored key."""
        return self._tokens.make(session_id, owner, scopes, key_id)

    def token_for(self, who: Principal, session_id: str) -> str:
        """A token that lets its bearer do in one session what its maker may, but for deleting."""
        return self.make_token(session_id, who.id, who.scopes & OF_A_TOKEN, who.key_id)

    def by_token(self, token: str) -> Principal | None:
        """The principal of a token that is still valid. Raises StoreUnavailable as `by_key` does."""
        said = self._tokens.read(token)
        if said is not None and self._lives(said.key_id):
            return Principal(said.owner, said.scopes, said.session_id, expires_at=said.expires_at, key_id=said.key_id)
        user = self.user_tokens.read(token)
        if user is not None and self._lives(user.key_id):
            return Principal(user.user_id, user.scopes, None, True, user.expires_at, user.key_id)
        return None

    def _lives(self, key_id: str | None) -> bool:
        return key_id is None or (self.ring is not None and self.ring.lives(key_id))

    def why_refused(self, credential: str, is_token: bool) -> Refusal:
        """Why a key or a token opens nothing, in words without a secret."""
        if self._tokens.read(credential) is not None:
            return Refusal("auth.token_refused", "key_revoked", guessed=False)
        if self._tokens.has_expired(credential):
            return Refusal("auth.token_refused", "expired", guessed=False)
        if is_token:
            return Refusal("auth.token_refused", "invalid")
        key_id = key_id_of(credential)
        return Refusal("auth.key_refused", "invalid", {} if key_id is None else {"key_id": key_id})

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
        return Principal(str(visitor), OF_A_VISITOR, None, owns_only=True)

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
            g.refusal = doors.why_refused(key, is_token=False)
            raise _unauthenticated("Invalid API key")
        return principal
    token = asked.args.get("token")
    if token:
        # Only a short-lived token may stand in an address; a key never does.
        principal = doors.by_token(token)
        if principal is None:
            g.refusal = doors.why_refused(token, is_token=True)
            raise _unauthenticated("Invalid or expired token")
        return principal
    return _by_cookies(asked, doors)


def _by_cookies(asked: Request, doors: Doors) -> Principal | None:
    """The visitor of the page, or the administrator of the dashboard. Raises Problem for another site's page."""
    cookie = asked.cookies.get(COOKIE)
    visitor = doors.by_cookie(cookie) if cookie else None
    changes = asked.method not in _SAFE_METHODS or asked.headers.get("Upgrade", "").lower() == "websocket"
    token = admin_cookie(asked)
    # Who is both chats as a visitor, and administers as an administrator.
    found = None
    if token and doors.administrators is not None and (visitor is None or asked.path.startswith("/api/v1/")):
        found = doors.administrators.by_token(token)
    if found is not None and asked.method not in _SAFE_METHODS and not asked.headers.get("X-Requested-With"):
        # A header that no form can send, and no page of another origin without being asked first.
        raise Problem(403, "csrf", "An administrator's cookie needs the header X-Requested-With.")
    found = found or visitor
    if found is not None and changes and not doors.is_own_origin(asked):
        raise Problem(403, "foreign_origin", "This page may not use the cookie here.")
    return found


def admin_cookie(asked: Request) -> str:
    """The token of an administrator's session; over TLS only the cookie that was set over TLS counts."""
    return asked.cookies.get(ADMIN_COOKIES[asked.is_secure], "")


def is_loopback(asked: Request) -> bool:
    """Whether the request comes from this machine, and was addressed to it."""
    host = asked.host.rpartition(":")[0] if asked.host[-1:].isdigit() and ":" in asked.host else asked.host
    return asked.remote_addr in {"127.0.0.1", "::1"} and host in {"localhost", "127.0.0.1", "[::1]"}


def register(app: Flask) -> None:
    """Finds out who is asking, before every request; whether they may is each route's own matter."""

    @app.before_request
    def identify() -> None:
        from web.state import web_state

        if request.endpoint == "static":
            return
        doors = web_state().doors
        g.principal = None
        if request.endpoint is not None and policy_of(current_app.view_functions[request.endpoint]) is None:
            raise Problem(403, "no_policy", "Nobody is let in here, because it was not said who may be.")
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if upgrade and request.headers.get("Origin") and not doors.is_own_origin(request):
            raise Problem(403, "foreign_origin", "This origin is not allowed to connect.")
        try:
            g.principal = _identify(request, doors)
        except Problem as problem:
            # Told where somebody must be known: a public route answers whoever asks.
            g.problem = problem
        except StoreUnavailable:
            g.problem = unavailable("the database")

    @app.after_request
    def note_use(response: Response) -> Response:
        from web.state import web_state

        ring = web_state().doors.ring
        if ring is not None:
            response.call_on_close(ring.note_use)
        return response


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
            require(principal(), scope)
            _check_accepted(request)
            return view(*args, **kwargs)

        return _with_policy(cast(F, guarded), scope)

    return decorate


def _check_accepted(asked: Request) -> None:
    """Raises Problem for a client that wants none of the forms in which anything is said here."""
    accepted = asked.accept_mimetypes
    if accepted and not any(accepted[form] > 0 for form in _FORMS):
        raise Problem(406, "not_acceptable", f"Answers here are {' or '.join(_FORMS)}.")


def public(view: F) -> F:
    """Lets everybody into a view, on purpose."""
    return _with_policy(view, "public")


def own_policy(view: F) -> F:
    """Says that a view, or what runs before it, judges by itself who is let in."""
    return _with_policy(view, "own")


def _with_policy(view: F, policy: str) -> F:
    view.spanfeed_policy = policy  # type: ignore[attr-defined]
    return view


def policy_of(view: Callable[..., Any]) -> str | None:
    """A view's policy: the scope it needs, `public` or `own`; None for a view that was given none."""
    found = getattr(view, "spanfeed_policy", None)
    return None if found is None else str(found)


def require(who: Principal, action: Scope) -> None:
    """Raises Problem (403) for somebody who may not do this at all."""
    if action not in who.scopes:
        raise Problem(403, "insufficient_scope", f"{action} permission required")


def not_found() -> Problem:
    """A session that is unknown, or not the asker's: the two look the same."""
    return Problem(404, "not_found", "Chat session not found")


def authorize(who: Principal, action: Scope, target: Target) -> None:
    """Lets somebody do this with a session, or raises Problem: 403 without the scope, 404 when it is not theirs.

    Every transport asks here. A session that is unknown looks like a foreign one.
    """
    require(who, action)
    if not may(who, action, target.owner, target.session_id):
        raise not_found()
    if target.owner is None and target.must_exist:
        raise not_found()

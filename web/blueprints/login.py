"""Administrators log in and out; who is asking."""

from __future__ import annotations

import hashlib
import hmac

from flask import Blueprint, Response, g, request
from limits import parse as parse_limit
from limits.errors import StorageError

from pipeline.catalog import Audience
from pipeline.event import Category
from pipeline.unified import UnifiedEvent
from pipeline.unified.system import Wish
from web.acts import audit_request
from web.administrators import LONGEST_PASSWORD_CHARACTERS, Administrators
from web.auth import ADMIN_COOKIES, admin_cookie, is_loopback, own_policy, principal
from web.body import parse, read_json
from web.errors import Problem, unavailable
from web.extensions import limiter, requests_limit
from web.refusals import Refusal
from web.refused_requests import whereabouts
from web.replies import json_response
from web.schemas import Login
from web.state import web_state

blueprint = Blueprint("login", __name__)
_WINDOW_SECONDS = 900


def _administrators() -> Administrators:
    state = web_state()
    return Administrators(state.settings, state.store)


def _check_origin() -> None:
    """Raises Problem for another site's page, which would log its reader in under its own name."""
    doors = web_state().doors
    if request.headers.get("Origin") and not doors.is_own_origin(request):
        raise Problem(403, "csrf", "This page may not log in here.")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise Problem(403, "csrf", "This page may not log in here.")


def _unreadable(name: str) -> str:
    # People type passwords into the wrong field, and what is counted lies in Redis.
    return hmac.new(web_state().settings.secret_key.encode(), name.encode(), hashlib.sha256).hexdigest()[:32]


def _count(name: str) -> None:
    """Counts a try for the name and the address. Raises Problem (429, or 503 when nobody counts)."""
    web_state().bus.ping()
    limit = parse_limit(f"{web_state().settings.login_tries_limit} per {_WINDOW_SECONDS} seconds")
    try:
        free = [
            limiter.limiter.hit(limit, "login", who)
            for who in (f"name:{_unreadable(name.casefold())}", f"address:{request.remote_addr}")
        ]
    except StorageError:
        raise unavailable("Redis") from None
    if not all(free):
        wait = {"Retry-After": str(_WINDOW_SECONDS)}
        raise Problem(429, "too_many_tries", "Too many tries to log in. Please wait.", wait)


@blueprint.post("/api/v1/login")
@limiter.limit(requests_limit)
@own_policy
def login() -> Response:
    """Logs an administrator in."""
    _check_origin()
    if not request.is_secure and not is_loopback(request):
        raise Problem(403, "needs_tls", "A password is taken over TLS only.")
    body = parse(Login, read_json())
    # A name that is unknown may be a password that was typed in the wrong field: it is told to nobody.
    who = {"user_id": f"admin:{body.name}"} if _administrators().knows(body.name) else {}
    g.refusal = Refusal("auth.login_failure", "too_many_tries", who)
    _count(body.name)
    fits = len(body.password) <= LONGEST_PASSWORD_CHARACTERS
    token = _administrators().log_in(body.name, body.password, admin_cookie(request)) if fits else None
    if token is None:
        g.refusal = Refusal("auth.login_failure", "wrong_login", who)
        raise Problem(401, "wrong_login", "The name or the password is wrong.", {"WWW-Authenticate": "ApiKey"})
    _tell_login(f"admin:{body.name}")
    response = json_response({"id": f"admin:{body.name}"})
    response.set_cookie(
        ADMIN_COOKIES[request.is_secure],
        token,
        max_age=web_state().settings.admin_session_seconds,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
    )
    return response


def _tell_login(actor: str) -> None:
    audit_request("administrators.login", "administrator", actor, actor, told=False)
    data = {**whereabouts(), "success": True, "user_id": actor}
    event = UnifiedEvent(Category.SECURITY, "auth.login_success", data=data)
    web_state().events.emit_event(event, Wish(Audience.OPERATOR))


@blueprint.post("/api/v1/logout")
@limiter.limit(requests_limit)
@own_policy
def logout() -> Response:
    """Logs an administrator out."""
    who = principal()
    token = admin_cookie(request)
    if token:
        _administrators().log_out(token)
        audit_request("administrators.logout", "administrator", who.id)
    response = json_response({"message": "Logged out successfully"})
    for secure, name in ADMIN_COOKIES.items():
        response.delete_cookie(name, httponly=True, samesite="Strict", secure=secure)
    return response


@blueprint.get("/api/v1/me")
@limiter.limit(requests_limit)
@own_policy
def me() -> Response:
    """Who is asking, and what they may do."""
    who = principal()
    return json_response(
        {
            "id": who.id,
            "scopes": sorted(who.scopes),
            "session_id": who.session_id,
            "own_sessions_only": who.owns_only,
            "expires_at": who.expires_at,
        }
    )

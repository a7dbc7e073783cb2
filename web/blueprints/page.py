"""The chat page with a visitor's own new session, and the operators' dashboard."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, current_app, g, request, send_from_directory

from pipeline import catalog
from pipeline.store import conversations
from web.auth import COOKIE, Scope, own_policy, principal, public, require
from web.errors import Problem
from web.extensions import limiter, requests_limit
from web.replies import json_response
from web.state import web_state
from web.told_chats import tell_begun

blueprint = Blueprint("page", __name__)
_COOKIE_SECONDS = 30 * 24 * 3600
_PAGE = "app/index.html"
_DASHBOARD = "app/dashboard.html"


@blueprint.get("/")
@public
def page() -> Response:
    """The chat page itself."""
    return _file(_PAGE)


@blueprint.get("/dashboard")
@public
def dashboard() -> Response:
    """The operators' page. It shows nothing before an administrator has logged in."""
    return _file(_DASHBOARD)


def _file(name: str) -> Response:
    response = send_from_directory(str(current_app.static_folder), name)
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.post("/page/session")
@limiter.limit(requests_limit)
@own_policy
def new_session() -> Response:
    """Makes a session that belongs to this visitor, and their cookie where they have none."""
    state = web_state()
    if request.headers.get("Origin") and not state.doors.is_own_origin(request):
        raise Problem(403, "foreign_origin", "This origin is not allowed to chat here.")
    cookie = None
    who = g.get("principal")
    if who is None and g.get("problem") is None:
        if not state.settings.public_chat_enabled:
            raise Problem(
                403, "no_public_chat", "This server is not open to visitors; its operator can set SPANFEED_PUBLIC_CHAT."
            )
        owner, cookie = state.doors.make_cookie()
    else:
        owner = principal().id
        require(principal(), Scope.WRITE)
        if principal().session_id is not None:
            raise Problem(403, "bound_to_a_session", "A session token opens its own session only.")
    session_id = str(uuid.uuid4())
    language = catalog.language_of(request.accept_languages.best_match(catalog.LANGUAGES))
    conversations.open_session(state.store, session_id, owner, owner, language)
    tell_begun(state, session_id)
    response = json_response({"session_id": session_id}, 201)
    if cookie is not None:
        response.set_cookie(
            COOKIE, cookie, max_age=_COOKIE_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure
        )
    return response

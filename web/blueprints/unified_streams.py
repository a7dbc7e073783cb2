"""The streams of unified events: a user's own, which goes across all sessions, and the operators'."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from web.auth import Scope, needs, principal
from web.blueprints import feed, stream
from web.body import checked_object, decode, parse, read_raw
from web.errors import Problem, invalid
from web.extensions import limited_openings, limiter, requests_limit
from web.feed.transports import OPERATORS, UNIFIED
from web.feed.wish import Scope as FeedScope
from web.replies import json_response
from web.schemas import ForUser
from web.state import web_state
from web.unified_users import user_of

blueprint = Blueprint("unified_streams", __name__)


@blueprint.get("/api/v1/events/stream")
@limiter.limit(requests_limit)
@limited_openings
@needs(Scope.READ)
def user_stream() -> Response:
    """A user's events, of whatever session, and those for everyone, live; `Last-Event-ID` or `after` resumes."""
    who = principal()
    user_id = user_of(who, request.args.get("user_id"), "query")
    return stream.opened(feed.wish_of("", UNIFIED.name, stream.cursor(), FeedScope.USER, user_id), feed.rights_of(who))


@blueprint.get("/api/v1/events/admin/stream")
@limiter.limit(requests_limit)
@limited_openings
@needs(Scope.ADMIN)
def operators_stream() -> Response:
    """Every event but those that are only kept, live, with whose it is; resumed in the same way."""
    who = principal()
    if who.owns_only or who.session_id is not None:
        raise Problem(403, "insufficient_scope", "A key of one user does not open everybody's events.")
    wish = feed.wish_of("", OPERATORS.name, stream.cursor(), FeedScope.OPERATORS, who.id)
    return stream.opened(wish, feed.rights_of(who))


@blueprint.post("/api/v1/events/token")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def user_token() -> Response:
    """A token by which a browser opens a user's stream: an application's key says whose, a user's own key need not."""
    who = principal()
    given = parse(ForUser, optional_object()).user_id
    if given is None and not who.owns_only:
        raise invalid("body", "user_id", "is needed: an application says for which user", "missing_user")
    user_id = user_of(who, given, "body")
    token = web_state().doors.user_tokens.make(user_id, who.scopes, who.key_id)
    reply = {"token": token, "user_id": user_id, "expires_in": web_state().settings.token_ttl_seconds}
    return json_response(reply, 201)


def optional_object() -> dict[str, Any]:
    """The body's object, or an empty one where there is no body. Raises Problem."""
    if not request.content_length and not request.headers.get("Transfer-Encoding"):
        return {}
    raw = read_raw(("application/json",))
    return checked_object(decode(raw)) if raw.strip() else {}

"""Feedback: what a user thinks of an answer."""

from __future__ import annotations

import datetime

from flask import Blueprint, Response

from pipeline.event import Category
from pipeline.store import conversations
from pipeline.store.feedback import Feedback, Saved, save
from pipeline.unified import UnifiedEvent
from pipeline.unified.event import written
from web.auth import Principal, Scope, needs, principal
from web.body import parse, read_json
from web.errors import invalid
from web.exchanges import find_exchange
from web.extensions import limiter, requests_limit
from web.replies import json_response
from web.schemas import NewFeedback
from web.state import web_state

blueprint = Blueprint("feedback", __name__)
_SCORES = {"up": 1.0, "down": 0.0, "1": 0.0, "2": 0.25, "3": 0.5, "4": 0.75, "5": 1.0}


@blueprint.post("/chat/<session_id>/messages/<message_id>/feedback")
@limiter.limit(requests_limit)
@needs(Scope.WRITE)
def give_feedback(session_id: str, message_id: str) -> Response:
    """Keeps a rating, in place of the user's earlier one of this message."""
    session, _ = find_exchange(Scope.WRITE, session_id, message_id)
    body = parse(NewFeedback, read_json())
    limit = web_state().settings.feedback_comment_limit_characters
    if body.comment is not None and len(body.comment) > limit:
        raise invalid("body", "comment", f"must have at most {limit} characters", "too_long", len(body.comment))
    now = datetime.datetime.now(datetime.UTC)
    by = _given_by(principal(), body, session)
    saved, kept = save(
        web_state().store, Feedback(message_id, by, session_id, str(body.rating), body.comment or None, now, now)
    )
    if saved is not Saved.SAME:
        _tell(saved, kept)
    said = {
        "session_id": session_id,
        "message_id": message_id,
        "rating": body.rating,
        "comment": kept.comment,
        "changed": saved is not Saved.SAME,
        "created_at": written(kept.created_at),
        "updated_at": written(kept.updated_at),
    }
    return json_response(said, 201 if saved is Saved.NEW else 200)


def _given_by(who: Principal, body: NewFeedback, session: conversations.Session | None) -> str:
    """The user: an application says for whom it speaks; a visitor or a key of one user speaks for nobody else."""
    if who.owns_only:
        return who.id
    of_the_session = session.user_id if session is not None else None
    named = body.user_id if who.session_id is None else None
    return named or of_the_session or who.id


def _tell(saved: Saved, kept: Feedback) -> None:
    """Without the comment: it is the user's own words."""
    data = {
        "session_id": kept.session_id,
        "message_id": kept.message_id,
        "rating": kept.rating,
        "score": _SCORES[kept.rating],
        "has_comment": kept.comment is not None,
        "changed": saved is Saved.CHANGED,
    }
    event = UnifiedEvent(Category.ANALYTICS, "message.feedback", data=data, user_id=kept.given_by)
    web_state().events.emit_event(event)

"""Finding the exchange that a request names, if the asker may do this with it."""

from __future__ import annotations

from pipeline.event import is_session_id
from pipeline.store import conversations
from web import query
from web.auth import Scope, Target, authorize, principal
from web.errors import Problem
from web.state import web_state


def find_exchange(
    action: Scope, session_id: str, message_id: str
) -> tuple[conversations.Session | None, conversations.Message]:
    """The session and the user's message. Raises Problem: 404 for one that is unknown, or not the asker's."""
    store = web_state().store
    session = conversations.find_session(store, query.checked_session_id(session_id))
    authorize(principal(), action, Target(session_id, session.owner if session else None))
    asked = conversations.find_message(store, message_id) if is_session_id(message_id) else None
    if asked is None or asked.session_id != session_id:
        raise Problem(404, "not_found", "Message not found")
    return session, asked

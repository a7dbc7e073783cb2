"""Telling of a message that was accepted, and of the conversation that it has begun."""

from __future__ import annotations

from pipeline.context import Audience
from pipeline.errors import StoreUnavailable
from pipeline.store import conversations
from pipeline.unified.chat_happenings import conversation_started, message_received
from web.state import WebState


def tell_accepted(state: WebState, audience: Audience, begun: bool) -> None:
    """Tells the user's own feeds of an accepted message; `begun`: its session was not there before. Never raises."""
    if begun:
        tell_begun(state, audience.session_id)
    message_received(state.events, audience.session_id, audience.message_id, audience.user_id)


def tell_begun(state: WebState, session_id: str) -> None:
    """Tells of a session that was made. Never raises."""
    try:
        session = conversations.find_session(state.store, session_id)
    except StoreUnavailable:
        return
    if session is not None:
        conversation_started(state.events, session_id, session.user_id, session.created_at)

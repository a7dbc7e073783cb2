"""What a chat tells beside its stages: conversations begin and end, messages come in and answers go out.

These are for the user's own feeds, never for the session's: there the stages say the same, with their clients'
numbering. Nothing that was said stands in them.
"""

from __future__ import annotations

import datetime
from typing import Any

from pipeline.catalog import Audience
from pipeline.event import Category
from pipeline.unified.event import SOURCES, UnifiedEvent, written
from pipeline.unified.system import EventSystem, Wish


def conversation_started(
    events: EventSystem, session_id: str, user_id: str | None, began_at: datetime.datetime
) -> None:
    """A session has begun; told once, however many requests have begun it at the same time."""
    data = {"started_at": written(began_at)}
    _tell(events, "conversation.started", session_id, user_id, data, key=f"{session_id}:{written(began_at)}")


def conversation_ended(events: EventSystem, session_id: str, user_id: str | None, messages: int) -> None:
    """A session was deleted, with so many messages."""
    ended_at = written(datetime.datetime.now(datetime.UTC))
    data = {"ended_at": ended_at, "reason": "deleted", "messages": messages}
    _tell(events, "conversation.ended", session_id, user_id, data)


def message_received(events: EventSystem, session_id: str, message_id: str, user_id: str | None) -> None:
    """A message was accepted."""
    _tell(events, "message.received", session_id, user_id, {"message_id": message_id}, message_id, message_id)


def message_sent(
    events: EventSystem, session_id: str, message_id: str, user_id: str | None, sources: int, confidence: float | None
) -> None:
    """An answer is stored, with so many sources; told once, however often its stage was tried."""
    data = {"message_id": message_id, "sources": sources, "confidence": confidence}
    _tell(events, "message.sent", session_id, user_id, data, message_id, message_id)


def _tell(
    events: EventSystem,
    event_type: str,
    session_id: str,
    user_id: str | None,
    data: dict[str, Any],
    correlation_id: str | None = None,
    key: str | None = None,
) -> None:
    event = UnifiedEvent(
        Category.REALTIME,
        event_type,
        data={"session_id": session_id, "conversation_id": session_id, **data},
        session_id=session_id,
        user_id=user_id,
        correlation_id=correlation_id,
        source_system=SOURCES[Category.REALTIME],
    )
    events.emit_event(event, Wish(Audience.PERSON, key="" if key is None else f"{event_type}:{key}"))

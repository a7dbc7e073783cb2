"""What a unified event must be before it is emitted; beyond a limit it is a clear error, never a cut event."""

from __future__ import annotations

from pipeline import catalog
from pipeline.errors import InvalidEvent
from pipeline.event import LIMITS, check_type, is_session_id
from pipeline.unified.event import UnifiedEvent

_ID_LIMIT_CHARACTERS = 200


def check_event(event: object) -> None:
    """Raises InvalidEvent. Data and metadata are measured where they are encoded."""
    if not isinstance(event, UnifiedEvent):
        raise InvalidEvent(f"not a UnifiedEvent but a {type(event).__name__}")
    check_type(event.event_type)
    if event.event_type in catalog.RESERVED_TYPES:
        raise InvalidEvent(f"{event.event_type} is told by Spanfeed's own stages only")
    for name in ("data", "metadata"):
        if not isinstance(getattr(event, name), dict):
            raise InvalidEvent(f"{name} must be a dict, not a {type(getattr(event, name)).__name__}")
    _check_text("id", event.id, _ID_LIMIT_CHARACTERS)
    for name in ("user_id", "session_id", "correlation_id", "source_system"):
        if getattr(event, name) is not None:
            _check_text(name, getattr(event, name), LIMITS[name])
    if event.session_id is not None and not is_session_id(event.session_id):
        raise InvalidEvent("a session id is 1 to 64 of A-Z a-z 0-9 . _ : @ -")


def _check_text(name: str, value: object, limit: int) -> None:
    if not isinstance(value, str):
        raise InvalidEvent(f"{name} must be a text, not a {type(value).__name__}")
    if not 0 < len(value) <= limit or not value.isprintable():
        raise InvalidEvent(f"{name} must be 1 to {limit} printable characters")

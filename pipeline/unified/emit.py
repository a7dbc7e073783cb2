"""Emitting by category: each may be called or awaited, in any program, and never raises."""

from __future__ import annotations

from typing import Any

from pipeline.catalog import Audience
from pipeline.errors import InvalidEvent
from pipeline.event import Category, Priority
from pipeline.unified.emitted import Emitted
from pipeline.unified.event import UnifiedEvent
from pipeline.unified.process import unified_event_manager
from pipeline.unified.system import Wish

Data = dict[str, Any]
_SEVERITIES = {
    "low": Priority.LOW,
    "info": Priority.NORMAL,
    "warning": Priority.NORMAL,
    "medium": Priority.NORMAL,
    "high": Priority.HIGH,
    "error": Priority.HIGH,
    "critical": Priority.CRITICAL,
}


def emit_event(event: UnifiedEvent) -> Emitted:
    """Emits an event that you have made. The same id is written once, however often it is emitted."""
    return unified_event_manager.emit_event(event)


def _emit(
    category: Category, event_type: str, data: Data | None, audience: Audience | str | None = None, **fields: Any
) -> Emitted:
    try:
        event = UnifiedEvent(category, event_type, data={} if data is None else data, **fields)
        wish = Wish(None if audience is None else Audience(audience))
    except (InvalidEvent, TypeError, ValueError) as error:
        return unified_event_manager.refused(event_type, fields.get("id") or "", str(error))
    return unified_event_manager.emit_event(event, wish)


def emit_realtime_event(
    event_type: str, data: Data | None = None, user_id: str | None = None, **fields: Any
) -> Emitted:
    """For this user's feeds, or for everyone's when neither a user nor a session is named.

    `fields` are those of `UnifiedEvent`, and `audience`: user, person, everyone, operator or record.
    """
    return _emit(Category.REALTIME, event_type, data, user_id=user_id, **fields)


def emit_security_event(
    event_type: str, data: Data | None = None, user_id: str | None = None, **fields: Any
) -> Emitted:
    """For operators, with an audit entry; when it is high or critical also for the user, if one is named. High."""
    return _emit(Category.SECURITY, event_type, data, user_id=user_id, **fields)


def emit_audit_event(event_type: str, data: Data | None = None, user_id: str | None = None, **fields: Any) -> Emitted:
    """For auditors. High when the data say that it failed (`success` false, or `result` failure, error or denied)."""
    return _emit(Category.AUDIT, event_type, data, user_id=user_id, **fields)


def emit_streaming_event(
    event_type: str, data: Data | None = None, session_id: str | None = None, **fields: Any
) -> Emitted:
    """For the session's feed."""
    return _emit(Category.STREAMING, event_type, data, session_id=session_id, **fields)


def emit_analytics_event(
    event_type: str, data: Data | None = None, user_id: str | None = None, **fields: Any
) -> Emitted:
    """For the record. Low."""
    return _emit(Category.ANALYTICS, event_type, data, user_id=user_id, **fields)


def emit_monitoring_event(event_type: str, data: Data | None = None, **fields: Any) -> Emitted:
    """For operators."""
    return _emit(Category.MONITORING, event_type, data, **fields)


def emit_workflow_event(
    event_type: str, data: Data | None = None, session_id: str | None = None, **fields: Any
) -> Emitted:
    """For the session's feed."""
    return _emit(Category.WORKFLOW, event_type, data, session_id=session_id, **fields)


def emit_system_alert(
    message: str, severity: str = "info", user_id: str | None = None, data: Data | None = None, **fields: Any
) -> Emitted:
    """A `system.alert` for operators. Severity error is high, critical is critical; `audience="everyone"` tells all."""
    fields.setdefault("priority", severity_priority(severity))
    said = {**(data or {}), "message": message, "severity": severity}
    return _emit(Category.MONITORING, "system.alert", said, user_id=user_id, **fields)


def severity_priority(severity: str) -> Priority:
    """The priority of an alert; normal for an unknown word."""
    return _SEVERITIES.get(str(severity).lower(), Priority.NORMAL)

"""Unified events: emit, route and handle events of every kind, on the same bus and in the same record as the chat's.

This is the one place to import them from. Every `emit_…` and `trigger_…` may be called or awaited, and never raises.
"""

from pipeline.unified.analytics import emit_experiment_exposure
from pipeline.unified.audit import emit_authentication_audit, emit_resource_audit
from pipeline.unified.emit import (
    emit_analytics_event,
    emit_audit_event,
    emit_event,
    emit_monitoring_event,
    emit_realtime_event,
    emit_security_event,
    emit_streaming_event,
    emit_system_alert,
    emit_workflow_event,
)
from pipeline.unified.emitted import Emitted
from pipeline.unified.event import EventCategory, EventPriority, UnifiedEvent
from pipeline.unified.event_types import EventType
from pipeline.unified.process import (
    event_router,
    get_event_stats,
    get_health_status,
    initialize_event_system,
    is_initialized,
    shutdown_event_system,
    unified_event_manager,
)
from pipeline.unified.router import EventRouter
from pipeline.unified.security import emit_login_event, emit_rate_limit_exceeded, emit_suspicious_activity
from pipeline.unified.system import EventSystem
from pipeline.unified.system import EventSystem as UnifiedEventManager
from pipeline.unified.triggers import (
    sse_service,
    trigger_backup_completed,
    trigger_backup_failed,
    trigger_backup_progress,
    trigger_backup_started,
    trigger_document_processing_completed,
    trigger_document_processing_failed,
    trigger_document_processing_progress,
    trigger_document_processing_started,
    trigger_document_uploaded,
    trigger_job_completed,
    trigger_job_failed,
    trigger_job_progress,
    trigger_job_started,
    trigger_tool_server_error,
    trigger_tool_server_health_changed,
    trigger_tool_server_started,
    trigger_tool_server_stopped,
)

__all__ = [
    "Emitted",
    "EventCategory",
    "EventPriority",
    "EventRouter",
    "EventSystem",
    "EventType",
    "UnifiedEvent",
    "UnifiedEventManager",
    "emit_analytics_event",
    "emit_audit_event",
    "emit_authentication_audit",
    "emit_event",
    "emit_experiment_exposure",
    "emit_login_event",
    "emit_monitoring_event",
    "emit_rate_limit_exceeded",
    "emit_realtime_event",
    "emit_resource_audit",
    "emit_security_event",
    "emit_streaming_event",
    "emit_suspicious_activity",
    "emit_system_alert",
    "emit_workflow_event",
    "event_router",
    "get_event_stats",
    "get_health_status",
    "initialize_event_system",
    "is_initialized",
    "shutdown_event_system",
    "sse_service",
    "trigger_backup_completed",
    "trigger_backup_failed",
    "trigger_backup_progress",
    "trigger_backup_started",
    "trigger_document_processing_completed",
    "trigger_document_processing_failed",
    "trigger_document_processing_progress",
    "trigger_document_processing_started",
    "trigger_document_uploaded",
    "trigger_job_completed",
    "trigger_job_failed",
    "trigger_job_progress",
    "trigger_job_started",
    "trigger_tool_server_error",
    "trigger_tool_server_health_changed",
    "trigger_tool_server_started",
    "trigger_tool_server_stopped",
    "unified_event_manager",
]

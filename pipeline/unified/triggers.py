"""One helper for each thing that happens often, with the payload that the second seed's clients read."""

from __future__ import annotations

import datetime
from typing import Any

from pipeline import catalog_unified
from pipeline.errors import InvalidEvent
from pipeline.event import Category
from pipeline.unified.emit import Data, emit_event
from pipeline.unified.emitted import Emitted
from pipeline.unified.event import SOURCES, UnifiedEvent, written
from pipeline.unified.process import unified_event_manager

_TIMES = {
    "started": "started_at",
    "completed": "completed_at",
    "failed": "failed_at",
    "stopped": "stopped_at",
}


class SSEService:
    """The second seed's door for realtime events."""

    def trigger_event(
        self,
        event_type: str,
        data: Data | None = None,
        user_id: str | None = None,
        metadata: Data | None = None,
        **fields: Any,
    ) -> Emitted:
        """Emits an event of the catalogue, or of any other type as a realtime event; as text it is the event's id."""
        name = str(event_type)
        category = catalog_unified.TYPES.get(name)
        try:
            event = UnifiedEvent(
                category or Category.REALTIME,
                name,
                data=data or {},
                metadata=metadata or {},
                user_id=user_id,
                **{"source_system": SOURCES[Category.REALTIME], **fields},
            )
        except (InvalidEvent, TypeError) as error:
            return unified_event_manager.refused(name, "", str(error))
        return emit_event(event)


sse_service = SSEService()
"""The one of this process."""


def _trigger(event_type: str, data: Data, user_id: str | None, status: str | None = None) -> Emitted:
    """Adds when it was, in the word that fits, and `status`; None is left out."""
    ending = event_type.rpartition("_" if "processing_" in event_type else ".")[2]
    times = {_TIMES.get(ending, "updated_at"): written(datetime.datetime.now(datetime.UTC))}
    said = {name: value for name, value in data.items() if value is not None}
    more = {} if status is None else {"status": status}
    return sse_service.trigger_event(event_type, {**times, **more, **said}, user_id=user_id)


def _progress(progress: float, step: str | None) -> Data:
    return {"progress": progress, "progress_percent": progress, "current_step": step}


# Backups


def trigger_backup_started(backup_id: str, user_id: str | None = None) -> Emitted:
    """A backup has begun."""
    return _trigger("backup.started", {"backup_id": backup_id}, user_id, "started")


def trigger_backup_progress(
    backup_id: str, progress: float, status: str | None = None, user_id: str | None = None
) -> Emitted:
    """A backup goes on; `progress` in percent."""
    data = {"backup_id": backup_id, **_progress(progress, status)}
    return _trigger("backup.progress", data, user_id, status or "progress")


def trigger_backup_completed(backup_id: str, backup_path: str | None = None, user_id: str | None = None) -> Emitted:
    """A backup is done."""
    return _trigger("backup.completed", {"backup_id": backup_id, "backup_path": backup_path}, user_id, "completed")


def trigger_backup_failed(backup_id: str, error: str, user_id: str | None = None) -> Emitted:
    """A backup has failed."""
    return _trigger("backup.failed", {"backup_id": backup_id, "error": error}, user_id, "failed")


# Jobs


def trigger_job_started(job_id: str, job_name: str, user_id: str | None = None) -> Emitted:
    """A job has begun."""
    return _trigger("job.started", {"job_id": job_id, "job_name": job_name}, user_id, "started")


def trigger_job_progress(
    job_id: str, job_name: str, progress: float, current_step: str | None = None, user_id: str | None = None
) -> Emitted:
    """A job goes on; `progress` in percent."""
    data = {"job_id": job_id, "job_name": job_name, **_progress(progress, current_step)}
    return _trigger("job.progress", data, user_id, "progress")


def trigger_job_completed(
    job_id: str, job_name: str, result: Data | None = None, user_id: str | None = None
) -> Emitted:
    """A job is done."""
    data = {"job_id": job_id, "job_name": job_name, "result": result or {}}
    return _trigger("job.completed", data, user_id, "completed")


def trigger_job_failed(job_id: str, job_name: str, error: str, user_id: str | None = None) -> Emitted:
    """A job has failed."""
    return _trigger("job.failed", {"job_id": job_id, "job_name": job_name, "error": error}, user_id, "failed")


# Tool servers


def trigger_tool_server_started(server_id: str, server_name: str, user_id: str | None = None) -> Emitted:
    """A tool server has started."""
    return _trigger("tool_server.started", {"server_id": server_id, "server_name": server_name}, user_id)


def trigger_tool_server_stopped(server_id: str, server_name: str, user_id: str | None = None) -> Emitted:
    """A tool server has stopped."""
    return _trigger("tool_server.stopped", {"server_id": server_id, "server_name": server_name}, user_id)


def trigger_tool_server_health_changed(
    server_id: str, server_name: str, health_status: str, details: Data | None = None, user_id: str | None = None
) -> Emitted:
    """A tool server's health has changed."""
    data = {
        "server_id": server_id,
        "server_name": server_name,
        "health_status": health_status,
        "details": details or {},
        "checked_at": written(datetime.datetime.now(datetime.UTC)),
    }
    return _trigger("tool_server.health_changed", data, user_id)


def trigger_tool_server_error(
    server_id: str, server_name: str, error: str, details: Data | None = None, user_id: str | None = None
) -> Emitted:
    """A tool server reports an error."""
    data = {"server_id": server_id, "server_name": server_name, "error": error, "details": details or {}}
    return _trigger("tool_server.error", data, user_id)


# Documents


def trigger_document_uploaded(document_id: str, filename: str, user_id: str | None = None) -> Emitted:
    """A document has come."""
    return _trigger("document.uploaded", {"document_id": document_id, "filename": filename}, user_id, "uploaded")


def trigger_document_processing_started(
    document_id: str, user_id: str | None = None, filename: str | None = None
) -> Emitted:
    """A document's processing has begun."""
    data = {"document_id": document_id, "filename": filename}
    return _trigger("document.processing_started", data, user_id, "processing")


def trigger_document_processing_progress(
    document_id: str, progress: float, current_step: str | None = None, user_id: str | None = None
) -> Emitted:
    """A document's processing goes on; `progress` in percent."""
    data = {"document_id": document_id, **_progress(progress, current_step)}
    return _trigger("document.processing_progress", data, user_id, "processing")


def trigger_document_processing_completed(
    document_id: str, result: Data | None = None, user_id: str | None = None
) -> Emitted:
    """A document is processed."""
    data = {**(result or {}), "document_id": document_id, "result": result or {}}
    return _trigger("document.processing_completed", data, user_id, "completed")


def trigger_document_processing_failed(document_id: str, error: str, user_id: str | None = None) -> Emitted:
    """A document could not be processed."""
    return _trigger("document.processing_failed", {"document_id": document_id, "error": error}, user_id, "failed")

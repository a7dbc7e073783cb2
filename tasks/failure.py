"""Ending a run that cannot be completed: the same way from a stage, a closer or anyone else who notices."""

from __future__ import annotations

import orjson

from pipeline import catalog_texts, semconv
from pipeline.bus import Bus
from pipeline.catalog import language_of
from pipeline.context import Audience
from pipeline.event import Reason, State, Status
from pipeline.tracing import Tracing


def progress_of_retry(language: str, error_type: str, reason: str, wait_ms: int, task_id: str | None) -> State:
    """The progress event that says that a stage is tried again."""
    text = catalog_texts.RETRY[language_of(language)]
    data = {"retry": True, "wait_ms": wait_ms}
    return State(Status.PROGRESS, text, data, reason=reason, error_type=error_type, task_id=task_id)


def fail_run(
    bus: Bus,
    tracing: Tracing,
    audience: Audience,
    stage: str,
    by: tuple[str, str],
    reason: Reason,
    error_type: str,
    task_id: str | None,
) -> None:
    """Fails everything that is open, children first, then the run; says why in words a user can read.

    Raises FenceLost when `by` does not hold the stage or the run has ended.
    """
    sentence = catalog_texts.REASONS[reason][language_of(audience.language)]
    state = State(Status.FAILED, None, {"error": str(reason)}, None, reason, error_type, task_id)
    error = State(Status.FAILED, f"❌ {sentence}", {"error_message": sentence}, None, reason, error_type, task_id)
    status = "cancelled" if reason is Reason.CANCELLED else "failed"
    closed = bus.fail(audience.session_id, audience.message_id, stage, by, state, error, status)
    for span in closed:
        identity = orjson.loads(b"{" + (span.identity or b"") + b"}")
        tracing.export_closed(
            span,
            event_type=identity["event_type"],
            trace_id=identity["trace_id"],
            span_id=identity["span_id"],
            parent_span_id=identity["parent_span_id"],
            attributes={
                semconv.SESSION_ID: audience.session_id,
                semconv.SPANFEED_MESSAGE_ID: audience.message_id,
                semconv.MESSAGING_SYSTEM: "celery",
                semconv.ERROR_TYPE: error_type,
                semconv.SPANFEED_REASON: str(reason),
            },
            failure=str(reason),
        )

"""Ending a run that cannot be completed: the same way from a stage, a closer or anyone else who notices."""

from __future__ import annotations

from pipeline import catalog_texts
from pipeline.bus import Bus
from pipeline.catalog import language_of, reason_text
from pipeline.context import Audience
from pipeline.event import Reason, State, Status


def progress_of_retry(language: str, error_type: str, reason: str, wait_ms: int, task_id: str | None) -> State:
    """The progress event that says that a stage is tried again."""
    text = catalog_texts.RETRY[language_of(language)]
    data = {"retry": True, "wait_ms": wait_ms}
    return State(Status.PROGRESS, text, data, reason=reason, error_type=error_type, task_id=task_id)


def error_state(language: str, reason: Reason, error_type: str, task_id: str | None) -> State:
    """The run's error event: why, in words that a user can read."""
    sentence = reason_text(reason, language)
    return State(Status.FAILED, f"❌ {sentence}", {"error_message": sentence}, None, reason, error_type, task_id)


def fail_run(
    bus: Bus,
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
    state = State(Status.FAILED, None, {"error": str(reason)}, None, reason, error_type, task_id)
    error = error_state(audience.language, reason, error_type, task_id)
    status = "cancelled" if reason is Reason.CANCELLED else "failed"
    bus.fail(audience.session_id, audience.message_id, stage, by, state, error, status)

"""Telling of every Celery task that is no stage of a chat message: it started, is tried again, and how it ended."""

from __future__ import annotations

import functools
import os
from typing import Any

from celery import Task, signals

from pipeline import settings as settings_table
from pipeline.catalog import Audience
from pipeline.event import Category
from pipeline.unified import EventSystem, UnifiedEvent, event_router
from pipeline.unified.system import Wish
from tasks.celery import STAGES, task_name

_STAGES = frozenset(map(task_name, STAGES))
"""These tell of themselves."""
_CELERYS_OWN = "celery."


@functools.cache
def _events(_pid: int) -> EventSystem:
    return EventSystem(event_router, settings_table.load())


@signals.task_prerun.connect(weak=False)
def started(task_id: str, task: Task, **_: Any) -> None:
    """A job has begun; what is tried again has begun before."""
    if not task.request.retries:
        tell("started", task, task_id)


@signals.task_success.connect(weak=False)
def completed(sender: Task, result: Any, **_: Any) -> None:
    """A job is done; of what it gives only numbers are told."""
    numbers = result.items() if isinstance(result, dict) else ()
    said = {str(name): value for name, value in numbers if isinstance(value, int | float)}
    tell("completed", sender, sender.request.id, result=said)


@signals.task_failure.connect(weak=False)
def failed(sender: Task, task_id: str, exception: BaseException, **_: Any) -> None:
    """A job has failed; of the error only its class is told. Where its process was killed, the worker tells it."""
    tell("failed", sender, task_id, error=type(exception).__name__)


@signals.task_retry.connect(weak=False)
def retried(sender: Task, request: Any, reason: Any, **_: Any) -> None:
    """A job will be tried again."""
    error = getattr(reason, "exc", None) or reason
    tell("retried", sender, request.id, error=type(error).__name__, tries=request.retries + 1)


@signals.task_revoked.connect(weak=False)
def revoked(sender: Task, request: Any, expired: bool, **_: Any) -> None:
    """A job was called off, or waited for too long."""
    tell("failed", sender, request.id, error="expired" if expired else "revoked")


def tell(what: str, task: Task, job_id: str, **more: Any) -> None:
    """For operators: a job of the server's is no user's business. A repeat, as of a lost process, is told once."""
    name = str(getattr(task, "name", task))
    if name in _STAGES or name.startswith(_CELERYS_OWN):
        return
    data = {"job_id": job_id, "job_name": name, "status": what, **more}
    event = UnifiedEvent(Category.REALTIME, f"job.{what}", data=data, correlation_id=job_id, source_system="sse")
    key = f"job:{job_id}:{what}:{more.get('tries', more.get('progress', 0))}"
    _events(os.getpid()).emit_event(event, Wish(Audience.OPERATOR, key=key))

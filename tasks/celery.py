"""The Celery app (`celery -A tasks`). Importing it loads no stage: a sender knows tasks by name only."""

from __future__ import annotations

from celery import Celery

STAGES = ("receive", "history", "think", "search", "generate", "save")

_JOBS = ("tasks.maintenance", "tasks.deliveries", "tasks.embedding")
_MODULES = ("tasks.worker", *(f"tasks.stages.{stage}" for stage in STAGES), *_JOBS)
app = Celery("spanfeed", include=_MODULES)
app.config_from_object("celeryconfig")


def task_name(stage: str) -> str:
    """The name of a stage's task."""
    return f"spanfeed.{stage}"


def queue_name(stage: str) -> str:
    """The name of a stage's queue."""
    return f"spanfeed.{stage}"

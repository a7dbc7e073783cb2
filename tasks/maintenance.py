"""What beat asks for: the scheduled cleanup."""

from __future__ import annotations

import logging

from pipeline.store.retention import apply_retention
from tasks.celery import app
from tasks.runtime import runtime

logger = logging.getLogger(__name__)


@app.task(name="spanfeed.cleanup", ignore_result=True)
def cleanup() -> None:
    """Deletes the events that are older than their category's retention."""
    resources = runtime()
    deleted = apply_retention(resources.store, resources.settings)
    logger.info("cleanup deleted %s", {category: count for category, count in deleted.items() if count})

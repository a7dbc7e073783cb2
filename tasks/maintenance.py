"""What beat asks for: the scheduled cleanup, and the audit trail's anchors."""

from __future__ import annotations

import logging

from pipeline.store import audit_chain
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


@app.task(name="spanfeed.audit_anchor", ignore_result=True)
def audit_anchor() -> None:
    """Writes the audit trail's head into the log and the anchors' file."""
    audit_chain.anchor(runtime().store)

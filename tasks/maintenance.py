"""What beat asks for: the scheduled cleanup, and the audit trail's anchors."""

from __future__ import annotations

import logging

from pipeline.store import audit_chain
from pipeline.store.retention import apply_retention
from pipeline.unified.acts import FAILED, Act, audit_act
from tasks.celery import app
from tasks.runtime import runtime

logger = logging.getLogger(__name__)
_CLEANUP = "spanfeed.cleanup"
_ACTOR = f"task:{_CLEANUP}"


@app.task(name=_CLEANUP, ignore_result=True)
def cleanup() -> dict[str, int]:
    """Deletes the events that are older than their category's retention; gives how many, by category."""
    resources = runtime()
    try:
        deleted = apply_retention(resources.store, resources.settings)
    except Exception as error:
        act = Act(_ACTOR, "events.cleanup", "events", None, FAILED, {"error": type(error).__name__})
        audit_act(resources.events, resources.store, act)
        raise
    counts = {category: count for category, count in deleted.items() if count}
    details = {"deleted": sum(counts.values()), "by_category": counts}
    audit_act(resources.events, resources.store, Act(_ACTOR, "events.cleanup", "events", details=details))
    logger.info("cleanup deleted %s", counts)
    return counts


@app.task(name="spanfeed.audit_anchor", ignore_result=True)
def audit_anchor() -> None:
    """Writes the audit trail's head into the log and the anchors' file."""
    audit_chain.anchor(runtime().store)

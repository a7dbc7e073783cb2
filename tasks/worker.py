"""What a worker does at its start and end, and each of its children."""

from __future__ import annotations

import logging
from typing import Any

from celery import signals

from pipeline import settings as settings_table
from pipeline.errors import SpanfeedError
from tasks import jobs, presence, toolbox
from tasks.celery import app
from tasks.closers import LostChildren
from tasks.endpoints import planner
from tasks.envelope import pushes_directly
from tasks.resources import preload
from tasks.runtime import runtime

logger = logging.getLogger(__name__)
TELLERS = (jobs, presence)
"""Loaded for what they say at Celery's signals."""
app.steps["worker"].add(LostChildren)


@signals.worker_init.connect(weak=False)
def compare_with_kombu(**_: Any) -> None:
    """Compares the envelopes with kombu's, once for all children."""
    try:
        pushes_directly()
    except (OSError, SpanfeedError) as error:
        logger.warning("the envelopes could not be compared with kombu's: %s", type(error).__name__)


@signals.worker_init.connect(weak=False)
def load_model(**_: Any) -> None:
    """Loads what the model needs, the tools and who chooses them, once for all children."""
    settings = settings_table.load()
    preload(settings)
    toolbox.tools(settings)
    planner(settings)


@signals.worker_process_init.connect(weak=False)
def open_runtime(**_: Any) -> None:
    """Opens a child's connections before its first task."""
    runtime().tracing.install()


@signals.worker_process_shutdown.connect(weak=False)
def flush_spans(**_: Any) -> None:
    """Sends the spans that wait in this child."""
    runtime().tracing.shutdown()

"""A worker whose think stage tells much of its work: `celery -A tests.acceptance.telling_worker worker`."""

from __future__ import annotations

import dataclasses

from opentelemetry import trace

from pipeline.tracing import report_progress
from tasks.celery import app
from tasks.stage import Outcome, StageRun
from tasks.stages.think import think
from tests.acceptance.test_emitter import TELLS

__all__ = ["app"]

_work = think.spec.work


def _telling(run: StageRun) -> Outcome:
    outcome = _work(run)
    tracer = trace.get_tracer("telling")
    for number in range(TELLS):
        report_progress({"step": number}, f"step {number}")
        shown = {"spanfeed.event_type": "custom.telling", "spanfeed.data.number": number}
        with tracer.start_as_current_span("telling", attributes=shown):
            tracer.start_span(f"quiet {number}").end()
    return outcome


type(think).spec = dataclasses.replace(think.spec, work=_telling)

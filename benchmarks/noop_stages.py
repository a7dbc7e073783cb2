"""Ours: six stages that do nothing but open a span, close it and hand over (`celery -A benchmarks.noop_stages`)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.trace import set_span_in_context

from benchmarks.finish import LastTask
from pipeline.bus import Bus
from pipeline.context import Audience
from pipeline.tracing import Tracing
from tasks import chat
from tasks.celery import app, queue_name
from tasks.envelope import pushes_directly
from tasks.stage import Ending, Opening, Outcome, StageRun, StageTask, stage

SPANS = (
    "message_received",
    "loading_history",
    "agent_thinking",
    "tool_search_documents",
    "response_generation",
    "saving_message",
)
STAGES = tuple(f"noop{number}" for number in range(1, 1 + len(SPANS)))
QUEUES = tuple(queue_name(name) for name in STAGES)


def _opens(span: str) -> Callable[[StageRun], Sequence[Opening]]:
    return lambda run: [Opening(span)]


def _declare(name: str, span: str, next_stage: str) -> StageTask:
    @stage(name, opens=_opens(span))
    def work(run: StageRun) -> Outcome:
        """Does nothing."""
        return Outcome(None, [Ending(span)], next_stage)

    return work


declared = [_declare(*line) for line in zip(STAGES, SPANS, (*STAGES[1:], ""), strict=True)]
app.tasks.unregister(declared[-1].name)
app.register_task(type("LastStage", (LastTask, type(declared[-1])), {"name": declared[-1].name})())


class Submitter:
    """Sends runs by the web's own door, to the stages of this module."""

    name = "six stages"
    queues = QUEUES

    def __init__(self, bus: Bus, tracing: Tracing) -> None:
        self._bus = bus
        self._tracer = tracing.tracer()
        # The door sends every run to the stage of this name; nothing else in this process submits runs.
        chat.FIRST_STAGE = STAGES[0]
        if not pushes_directly():
            raise RuntimeError("the scripts do not push messages here: that is not what is to be measured")

    def submit(self) -> str:
        """Sends one run, of a session of its own, and gives its message's id."""
        audience = Audience(str(uuid.uuid4()), str(uuid.uuid4()), None, "en")
        span = self._tracer.start_span("POST /chat", Context())
        chat.submit(self._bus, audience, set_span_in_context(span, Context()))
        span.end()
        return audience.message_id

"""A stage: a Celery task that takes its run's fence, opens its spans, works, and ends with exactly one ending.

The order is always the same: `begin` (fence, spans opened), the stage's own work, `end` (spans closed, output kept,
next stage sent: one script). What goes wrong in between becomes `release` (a transient fault: another try) or `fail`
(everything open ends as failed, then the run's error event). A worker that loses the fence stops and says nothing.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from celery import Task
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded
from opentelemetry.context import Context

from pipeline import catalog
from pipeline.bus import Closing, SpanStart
from pipeline.bus.bus import new_token
from pipeline.context import CARRIED, Audience, audience_of, from_headers, span_id_of, trace_of
from pipeline.errors import (
    BusUnavailable,
    FenceLost,
    RunLost,
    StageFailed,
    StageRefused,
    StoreUnavailable,
    TransientFault,
)
from pipeline.event import Identity, Reason, State, Status
from pipeline.tracing import Held, StageSpan, use_stage_span
from tasks.celery import app, task_name
from tasks.failure import fail_run, progress_of_retry
from tasks.runtime import Runtime, runtime

logger = logging.getLogger(__name__)

ROOT = None
"""The parent of a span that lies directly under the message."""


@dataclasses.dataclass(frozen=True)
class Opening:
    """A span that the stage opens: an event type, perhaps with a word that tells several of one type apart."""

    event_type: str
    word: str = ""
    parent: str | None = ROOT
    data: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """Its name in the run."""
        return f"{self.event_type}/{self.word}" if self.word else self.event_type


@dataclasses.dataclass(frozen=True)
class Ending:
    """A span that the stage closes as completed, with the data of that event.

    `attributes` are those of a span that an earlier stage opened and told of.
    """

    name: str
    data: Mapping[str, Any] | None = None
    attributes: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a stage gives: JSON for later stages, the spans it closes, the stage that follows ('' ends the run)."""

    output: Any
    closes: Sequence[Ending]
    next_stage: str = ""


class StageRun:
    """One try of a stage, as its work sees it."""

    def __init__(self, audience: Audience, context: Context, inputs: Mapping[str, Any], with_runtime: Runtime) -> None:
        self.audience = audience
        self.runtime = with_runtime
        self.inputs = inputs
        self.trace_id, self.root_span_id = trace_of(context)
        self.context = context
        self.spans: dict[str, StageSpan] = {}
        self.openings: Sequence[Opening] = ()
        self.token = ""  # nosec
        self.attempt = 1
        self.lost = threading.Event()
        self.started = 0.0

    @property
    def session_id(self) -> str:
        """The session."""
        return self.audience.session_id

    @property
    def message_id(self) -> str:
        """The message."""
        return self.audience.message_id

    @property
    def language(self) -> str:
        """The message's language, one of the catalogue's."""
        return self.audience.language

    def identity(self, opening: Opening) -> Identity:
        """What all events of the opened span share."""
        kind = catalog.lookup(opening.event_type)
        parent = self.root_span_id if opening.parent is ROOT else span_id_of(self.message_id, opening.parent)
        return Identity(
            event_type=opening.event_type,
            category=kind.category,
            priority=kind.priority,
            session_id=self.session_id,
            message_id=self.message_id,
            user_id=self.audience.user_id,
            correlation_id=self.message_id,
            trace_id=self.trace_id,
            span_id=span_id_of(self.message_id, opening.name),
            parent_span_id=parent,
        )

    def took_us(self) -> int | None:
        """How long this try has worked, if its spans began with it; else None: only Redis's clock knows."""
        return round((time.monotonic() - self.started) * 1e6) if self.attempt == 1 else None

    def close(self, name: str, status: Status, data: Mapping[str, Any] | None, output: Any = None) -> None:
        """Closes one of the stage's parallel spans before the stage ends. Raises FenceLost."""
        reason = Reason.ERROR if status is Status.FAILED else None
        state = self.state(name, status, data, reason)
        closing = Closing(name, status, state, self.took_us())
        self.runtime.emitter.settle()
        bus = self.runtime.bus
        bus.close(self.session_id, self.message_id, self.token, closing, output)

    def state(self, name: str, status: Status, data: Mapping[str, Any] | None, reason: str | None = None) -> State:
        """The state of an event of the span `name`."""
        event_type = name.partition("/")[0]
        text = catalog.user_message(event_type, status, self.language, data)
        span = self.spans.get(name) or next(iter(self.spans.values()))
        metadata = {"attributes": attributes} if (attributes := span.shown_attributes()) else None
        return State(status, text, None if data is None else dict(data), metadata, reason, task_id=span.held.task_id)


@dataclasses.dataclass(frozen=True)
class StageSpec:
    """A stage's declaration: what it reads of the run, the spans it opens, its work."""

    name: str
    reads: tuple[str, ...]
    opens: Callable[[StageRun], Sequence[Opening]]
    work: Callable[[StageRun], Outcome]


class StageTask(Task):
    """The base of all stages' tasks. The message carries two ids and a trace context, never content."""

    abstract = True
    Request = "tasks.closers:StageRequest"
    spec: StageSpec

    def run(self, session_id: str, message_id: str) -> None:
        """Runs one try of the stage."""
        resources = runtime()
        headers = {name: self.request.get(name) for name in CARRIED if self.request.get(name)}
        context = from_headers(headers)
        audience = audience_of(context) or Audience(session_id, message_id, None, "en")
        try:
            inputs = _read_inputs(resources, message_id, self.spec.reads)
            stage_run = StageRun(audience, context, inputs, resources)
            self._begin(stage_run)
        except StageRefused as refused:
            logger.info("%s of %s was refused: %s", self.spec.name, message_id, refused)
            raise Ignore from None
        except BusUnavailable as error:
            # Nothing was begun here, or the lease will tell: the message waits for Redis.
            raise Reject(str(error), requeue=True) from None
        try:
            with (
                resources.leases.held(message_id, stage_run.token) as stage_run.lost,
                use_stage_span(next(iter(stage_run.spans.values())), context),
            ):
                resources.failpoints.reach(f"{self.spec.name}.begun")
                outcome = self.spec.work(stage_run)
                resources.failpoints.reach(f"{self.spec.name}.worked")
            self._end(stage_run, outcome, headers)
        except FenceLost as lost:
            logger.info("%s of %s is not ours any more: %s", self.spec.name, message_id, lost)
            raise Ignore from None
        except (TransientFault, StoreUnavailable) as fault:
            self._try_again(stage_run, fault, headers)
        except SoftTimeLimitExceeded:
            self._fail(stage_run, Reason.TIMEOUT, "SoftTimeLimitExceeded")
        except Exception as error:
            # Logged here with all it says; what leaves the process is its class only.
            logger.exception("%s of %s failed", self.spec.name, message_id)
            self._fail(stage_run, Reason.ERROR, type(error).__name__)

    def _begin(self, stage_run: StageRun) -> None:
        openings = self.spec.opens(stage_run)
        token = new_token()
        held = Held(
            stage_run.runtime.emitter,
            stage_run.session_id,
            stage_run.message_id,
            stage_run.language,
            token,
            str(self.request.id),
        )
        starts = []
        for opening in openings:
            identity = stage_run.identity(opening)
            language, data = stage_run.language, opening.data
            text = catalog.user_message(opening.event_type, Status.STARTED, language, data)
            failed_text = catalog.user_message(opening.event_type, Status.FAILED, language, data)
            state = State(Status.STARTED, text, None if data is None else dict(data), task_id=held.task_id)
            starts.append(SpanStart(opening.name, identity, state, failed_text))
            stage_run.spans[opening.name] = StageSpan(
                held, opening.name, opening.event_type, stage_run.trace_id, str(identity.span_id)
            )
        begun = stage_run.runtime.bus.begin(
            stage_run.session_id, stage_run.message_id, self.spec.name, token, stage_run.runtime.holder, starts
        )
        held.attempt = begun.tries
        stage_run.openings, stage_run.token, stage_run.attempt = openings, token, begun.tries
        stage_run.started = time.monotonic()

    def _end(self, stage_run: StageRun, outcome: Outcome, headers: Mapping[str, str]) -> None:
        closings = []
        for ending in outcome.closes:
            state = stage_run.state(ending.name, Status.COMPLETED, ending.data)
            if ending.attributes:
                state = dataclasses.replace(state, metadata={"attributes": dict(ending.attributes)})
            took_us = stage_run.took_us() if ending.name in stage_run.spans else None
            closings.append(Closing(ending.name, Status.COMPLETED, state, took_us))
        resources = stage_run.runtime
        ids = (stage_run.session_id, stage_run.message_id)
        if not outcome.next_stage:
            try:
                resources.bus.end(*ids, self.spec.name, stage_run.token, closings, outcome.output)
            except RunLost:
                _tell_lost(stage_run, closings)
                raise
        else:
            envelope = resources.envelopes.seal(outcome.next_stage, *ids, headers)
            resources.bus.end(
                *ids,
                self.spec.name,
                stage_run.token,
                closings,
                outcome.output,
                outcome.next_stage,
                envelope.queue,
                envelope.body,
            )
            if not envelope.body:
                resources.failpoints.reach(f"{self.spec.name}.unsent")
                resources.envelopes.publish(envelope, outcome.next_stage, *ids, headers)
        resources.failpoints.reach(f"{self.spec.name}.ended")

    def _try_again(self, stage_run: StageRun, fault: Exception, headers: Mapping[str, str]) -> None:
        resources, ids = stage_run.runtime, (stage_run.session_id, stage_run.message_id)
        logger.warning("%s of %s will be tried again: %s", self.spec.name, stage_run.message_id, fault)
        wait_ms = _wait_ms(stage_run, fault)
        envelope = resources.envelopes.seal(self.spec.name, *ids, headers, wait_ms)
        state = progress_of_retry(stage_run.language, type(fault).__name__, "retry", wait_ms, str(self.request.id))
        by = ("token", stage_run.token)
        try:
            tries = resources.bus.release(*ids, self.spec.name, by, state, wait_ms, envelope.queue, envelope.body)
        except FenceLost:
            raise Ignore from None
        if tries is None:
            self._fail(stage_run, Reason.ERROR, type(fault).__name__)
        if not envelope.body:
            resources.envelopes.publish(envelope, self.spec.name, *ids, headers, wait_ms)
        # For Flower: the task is shown as retried. The message was sent above.
        raise Retry(exc=TransientFault(type(fault).__name__), when=wait_ms / 1000)

    def _fail(self, stage_run: StageRun, reason: Reason, error_type: str) -> None:
        """Ends the run. Raises StageFailed, so that Flower shows the task as failed; its text is only a class name."""
        try:
            fail_run(
                stage_run.runtime.bus,
                stage_run.audience,
                self.spec.name,
                ("token", stage_run.token),
                reason,
                error_type,
                str(self.request.id),
            )
        except FenceLost:
            raise Ignore from None
        raise StageFailed(error_type) from None


def _tell_lost(stage_run: StageRun, closings: Sequence[Closing]) -> None:
    """Ends the spans of a last stage whose run was lost with Redis: what it has done is done, and stored.

    By the same emitter keys as the watchdog, so that each ends once.
    """
    for closing in closings:
        identity = stage_run.identity(next(o for o in stage_run.openings if o.name == closing.name))
        key = f"lost:{stage_run.message_id}:{identity.span_id}"
        took_ms = None if closing.took_us is None else round(closing.took_us / 1000)
        stage_run.runtime.emitter.append(identity, closing.state, key, took_ms=took_ms)


def _read_inputs(resources: Runtime, message_id: str, stages: Sequence[str]) -> dict[str, Any]:
    """What earlier stages gave, by stage; a stage that did not run is missing."""
    if not stages:
        return {}
    raw = resources.bus.run_fields(message_id, [f"out:{stage}" for stage in stages])
    return {stage: orjson.loads(value) for stage, value in zip(stages, raw, strict=True) if value}


def _wait_ms(stage_run: StageRun, fault: Exception) -> int:
    """How long to wait before the next try: doubled each time, at least what the other side asked for, bounded."""
    settings = stage_run.runtime.settings
    seconds = settings.retry_backoff_seconds * 2 ** (stage_run.attempt - 1)
    asked = getattr(fault, "retry_after_seconds", None)
    seconds = max(seconds, asked or 0.0)
    return int(min(seconds, settings.retry_backoff_limit_seconds) * 1000)


def stage(
    name: str,
    *,
    opens: Callable[[StageRun], Sequence[Opening]],
    reads: Sequence[str] = (),
) -> Callable[[Callable[[StageRun], Outcome]], StageTask]:
    """Declares a stage: the decorated function does its work. `reads` names earlier stages whose output it wants."""

    def declare(work: Callable[[StageRun], Outcome]) -> StageTask:
        spec = StageSpec(name, tuple(reads), opens, work)
        task = type(
            f"{name.capitalize()}Stage", (StageTask,), {"spec": spec, "__doc__": work.__doc__, "name": task_name(name)}
        )
        registered: StageTask = app.register_task(task())
        return registered

    return declare

"""Spans: the tracer of this process, a stage's own span, and progress told from anywhere inside a stage.

A stage's span may open in one process and close in another, and either may be killed, so the SDK cannot hold it.
While a stage runs, its span is a `StageSpan`: it has its ids and takes attributes. Its exported span is made by the
recorder from the events (`pipeline.trace_export`), so that it exists exactly when its ending does. Ordinary spans
started inside a stage are the SDK's own; they reach the feed by `pipeline.span_feed`.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status as SpanStatus
from opentelemetry.trace.status import StatusCode
from opentelemetry.util.types import AttributeValue

from pipeline import catalog
from pipeline.context import attached, remote_span
from pipeline.emitter import Emitter
from pipeline.errors import SpanfeedError
from pipeline.event import State, Status
from pipeline.redacted_spans import RedactingExporter
from pipeline.settings import Settings

logger = logging.getLogger(__name__)
_FLUSH_TIMEOUT_MS = 2_000
SHOWN_ATTRIBUTES = tuple(
    "http.request.method http.response.status_code server. db.system db.operation rpc. app. "
    "gen_ai.operation gen_ai.provider gen_ai.request.model gen_ai.usage. error.type".split()
)
"""Attributes that begin so may leave the process in an operator's event; everything else stays in the trace."""
SHOWN_TO_USERS = tuple("app. gen_ai.operation gen_ai.provider gen_ai.request.model gen_ai.usage. error.type".split())
"""The same for a user's event, which must not tell how this installation is built."""
_NEXT_SPAN_ID: contextvars.ContextVar[int | None] = contextvars.ContextVar("next_span_id", default=None)
_SPAN: contextvars.ContextVar[StageSpan | None] = contextvars.ContextVar("stage_span", default=None)


class _GivenIds(RandomIdGenerator):
    """Random ids, but for a span whose id is known already."""

    def generate_span_id(self) -> int:
        given = _NEXT_SPAN_ID.get()
        return super().generate_span_id() if given is None else given


@dataclasses.dataclass
class Held:
    """The stage that this process holds: where its events go and by which token."""

    emitter: Emitter
    session_id: str
    message_id: str
    language: str
    token: str
    task_id: str
    attempt: int = 1
    ordinary_spans: int = 0


class StageSpan(NonRecordingSpan):
    """A stage's span while the stage runs: it takes attributes, and progress."""

    def __init__(self, held: Held, name: str, event_type: str, trace_id: str, span_id: str) -> None:
        super().__init__(SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1)))
        self.held = held
        self.name = name
        self.event_type = event_type
        self.attributes: dict[str, AttributeValue] = {}

    def is_recording(self) -> bool:
        """True: attributes are kept."""
        return True

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Keeps an attribute for the exported span."""
        self.attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Keeps several."""
        self.attributes.update(attributes)

    def shown_attributes(self) -> dict[str, AttributeValue]:
        """The attributes that may stand in an event: how the work went, never what was said."""
        return {name: value for name, value in self.attributes.items() if name.startswith(SHOWN_TO_USERS)}

    def progress(self, data: Mapping[str, Any] | None = None, message: str | None = None) -> bool:
        """Writes a progress event on this span, at once or late; never raises. False when it is refused or lost."""
        held = self.held
        text = message or catalog.user_message(self.event_type, Status.PROGRESS, held.language, data)
        state = State(Status.PROGRESS, text, None if data is None else dict(data), task_id=held.task_id)
        try:
            return held.emitter.progress(held.session_id, held.message_id, held.token, self.name, state) is not None
        except SpanfeedError as error:
            logger.warning("a progress event was dropped: %s", error)
            return False


def report_progress(data: Mapping[str, Any] | None = None, message: str | None = None) -> bool:
    """Tells progress on the stage that runs in this context; outside of any stage it does nothing.

    `data` becomes the event's data and fills the catalogue's sentence; `message` replaces the sentence.
    Never raises; False when nothing was written.
    """
    span = _SPAN.get()
    return False if span is None else span.progress(data, message)


def current_stage_span() -> StageSpan | None:
    """The stage span of this context."""
    return _SPAN.get()


@contextlib.contextmanager
def use_stage_span(span: StageSpan, parent: Context) -> Iterator[StageSpan]:
    """Makes `span` the current one: ordinary spans started inside become its children.

    What was told inside is written, or has been waited for, when the block ends.
    """
    token = _SPAN.set(span)
    try:
        with attached(trace.set_span_in_context(span, parent)):
            yield span
    finally:
        _SPAN.reset(token)
        span.held.emitter.settle()


@dataclasses.dataclass(frozen=True)
class EndedSpan:
    """A span that has ended, by hex ids and Unix nanoseconds; `failure` is a low-cardinality reason."""

    name: str
    trace_id: str
    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, AttributeValue]
    failure: str | None = None


class Tracing:
    """The tracer of one process. Without an OTLP endpoint ended spans go nowhere, but ordinary ones to the feed."""

    def __init__(
        self, settings: Settings, processors: Sequence[SpanProcessor] = (), component: str = "spanfeed"
    ) -> None:
        resource = Resource.create({"service.name": f"spanfeed-{component}"} if component != "spanfeed" else {})
        self.provider = TracerProvider(id_generator=_GivenIds(), resource=resource)
        for processor in processors:
            self.provider.add_span_processor(processor)
        self.exports = settings.otlp_enabled
        if self.exports:
            # Here, since without an endpoint no process needs it, nor protocol buffers.
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            # The exporter reads the standard OTEL_EXPORTER_OTLP_* variables itself.
            self.provider.add_span_processor(BatchSpanProcessor(RedactingExporter(settings, OTLPSpanExporter())))
        self._tracer = self.provider.get_tracer("spanfeed")

    def export_ended(self, span: EndedSpan) -> None:
        """Makes the SDK's span for one that was told by events and has ended."""
        if not self.exports:
            return
        token = _NEXT_SPAN_ID.set(int(span.span_id, 16))
        try:
            made = self._tracer.start_span(
                span.name,
                context=remote_span(span.trace_id, span.parent_span_id),
                kind=SpanKind.CONSUMER,
                attributes=span.attributes,
                start_time=span.start_ns,
            )
        finally:
            _NEXT_SPAN_ID.reset(token)
        if span.failure is not None:
            made.set_status(SpanStatus(StatusCode.ERROR, span.failure))
        made.end(end_time=span.end_ns)

    def install(self) -> None:
        """Makes this the process's global tracer provider, so that libraries' spans come here too."""
        trace.set_tracer_provider(self.provider)

    def tracer(self) -> trace.Tracer:
        """The tracer for the program's own spans."""
        return self._tracer

    def flush(self) -> None:
        """Sends what waits; bounded in time."""
        self.provider.force_flush(_FLUSH_TIMEOUT_MS)

    def shutdown(self) -> None:
        """Sends what waits and ends the exporter's thread."""
        self.provider.shutdown()

"""Who a piece of work is for: session, message, user and language in OpenTelemetry baggage, carried in task headers."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping

from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACE = TraceContextTextMapPropagator()
_BAGGAGE = W3CBaggagePropagator()
CARRIED = ("traceparent", "tracestate", "baggage")
"""The headers that carry a context."""


@dataclasses.dataclass(frozen=True)
class Audience:
    """Whom the work is for. Only ids and a language: what is said never travels this way."""

    session_id: str
    message_id: str
    user_id: str | None
    language: str


_NAMES = {"session_id": "session.id", "message_id": "message.id", "user_id": "user.id", "language": "language"}


def with_audience(audience: Audience, parent: Context | None = None) -> Context:
    """`parent` with the audience in its baggage."""
    current = parent if parent is not None else context.get_current()
    for field, name in _NAMES.items():
        value = getattr(audience, field)
        if value is not None:
            current = baggage.set_baggage(name, value, current)
    return current


def audience_of(current: Context | None = None) -> Audience | None:
    """The audience in the baggage, None outside of any work."""
    found = {field: baggage.get_baggage(name, current) for field, name in _NAMES.items()}
    if not found["session_id"] or not found["message_id"]:
        return None
    return Audience(
        session_id=str(found["session_id"]),
        message_id=str(found["message_id"]),
        user_id=None if found["user_id"] is None else str(found["user_id"]),
        language=str(found["language"] or "en"),
    )


def to_headers(current: Context) -> dict[str, str]:
    """W3C traceparent and baggage for a task's headers."""
    headers: dict[str, str] = {}
    _TRACE.inject(headers, current)
    _BAGGAGE.inject(headers, current)
    return headers


def from_headers(headers: Mapping[str, str]) -> Context:
    """The context that `to_headers` wrote; an empty one where there is none."""
    return _BAGGAGE.extract(headers, _TRACE.extract(headers, Context()))


@contextlib.contextmanager
def attached(current: Context) -> Iterator[None]:
    """Makes `current` the context of this thread for a while."""
    token = context.attach(current)
    try:
        yield
    finally:
        context.detach(token)


def trace_of(current: Context | None = None) -> tuple[str, str]:
    """Trace id and span id (hex) of the context's span; zeros where there is none."""
    span = trace.get_current_span(current).get_span_context()
    return format(span.trace_id, "032x"), format(span.span_id, "016x")


def span_id_of(message_id: str, span: str) -> str:
    """The id (16 hex digits) of a run's span: the same for every try and in every process that closes it."""
    digest = hashlib.blake2b(f"{message_id}\n{span}".encode(), digest_size=8).hexdigest()
    return digest if int(digest, 16) else "0000000000000001"


def remote_span(trace_id: str, span_id: str, parent: Context | None = None) -> Context:
    """A context whose span is the given one, made elsewhere or not yet."""
    span = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(1))
    return trace.set_span_in_context(NonRecordingSpan(span), parent)

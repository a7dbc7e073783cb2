"""A span processor that shows ordinary spans inside a stage while they run: to operators, or to the user if they ask.

A span that carries `spanfeed.event_type` when it starts becomes an event for the user, with its
`spanfeed.data.<name>` attributes as the event's data; any other is an event of type `span` for operators.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from pipeline import catalog, semconv
from pipeline.errors import SpanfeedError
from pipeline.event import Identity, State, Status, clean_text
from pipeline.tracing import SHOWN_ATTRIBUTES, Held, current_stage_span

logger = logging.getLogger(__name__)
_CLASS_NAME = re.compile(r"[A-Za-z0-9_.]{1,100}")


class SpanFeed(SpanProcessor):
    """Sends an event when an ordinary span starts and when it ends. Its own faults never reach the span's owner."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Announces the span's start, if a stage runs in this context and has not shown too many."""
        stage = current_stage_span()
        if stage is None or stage.held.ordinary_spans >= stage.held.emitter.settings.spans_per_stage_limit:
            return
        stage.held.ordinary_spans += 1
        # The end may come in another context, with a copy of the span.
        _HELD[_key(span)] = stage.held
        self._send(stage.held, span, Status.STARTED)

    def on_end(self, span: ReadableSpan) -> None:
        """Announces the span's end."""
        held = _HELD.pop(_key(span), None)
        if held is not None:
            failed = span.status.status_code is StatusCode.ERROR
            self._send(held, span, Status.FAILED if failed else Status.COMPLETED)

    def _send(self, held: Held, span: ReadableSpan, status: Status) -> None:
        """Never raises: an event must not break the work it tells of."""
        try:
            _append(held, span, status)
        except SpanfeedError as error:
            logger.warning("a span's event was dropped: %s", error)


_HELD: dict[tuple[int, int], Held] = {}
"""The stages of the ordinary spans that are open in this process; bounded by spans_per_stage_limit."""


def _key(span: ReadableSpan) -> tuple[int, int]:
    own = span.get_span_context()
    return (own.trace_id, own.span_id) if own is not None else (0, 0)


def _append(held: Held, span: ReadableSpan, status: Status) -> None:
    own = span.get_span_context()
    if own is None:
        return
    attributes: dict[str, Any] = dict(span.attributes or {})
    asked_type = attributes.get(semconv.SPANFEED_EVENT_TYPE)
    for_user = isinstance(asked_type, str)
    kind = catalog.lookup(str(asked_type) if for_user else catalog.SPAN_TYPE)
    identity = Identity(
        event_type=kind.name,
        category=kind.category,
        priority=kind.priority,
        session_id=held.session_id if for_user else None,
        message_id=held.message_id,
        trace_id=format(own.trace_id, "032x"),
        span_id=format(own.span_id, "016x"),
        parent_span_id=format(span.parent.span_id, "016x") if span.parent else None,
    )
    data = _data(attributes, for_user)
    if not for_user:
        data = {"name": clean_text(span.name, 200), "session_id": held.session_id, **data}
    text = catalog.user_message(kind.name, status, held.language, data) if for_user else None
    failed = status is Status.FAILED
    state = State(
        status,
        text,
        data,
        reason="error" if failed else None,
        error_type=_error_type(attributes) if failed else None,
        task_id=held.task_id,
    )
    took_ms = round((span.end_time - span.start_time) / 1e6) if span.end_time and span.start_time else None
    held.emitter.append(
        identity,
        state,
        emitter_key=f"{identity.span_id}:{'start' if status is Status.STARTED else 'end'}",
        audience="user" if for_user else "operator",
        took_ms=took_ms,
        ordinary_span=(held.message_id, str(identity.span_id)),
        failed_text=catalog.user_message(kind.name, Status.FAILED, held.language, data) if for_user else None,
    )


def _error_type(attributes: dict[str, Any]) -> str:
    """The error's class. A library may write a whole sentence there, with addresses: that is for no user."""
    given = str(attributes.get(semconv.ERROR_TYPE, ""))
    return given if _CLASS_NAME.fullmatch(given) else "error"


def _data(attributes: dict[str, Any], for_user: bool) -> dict[str, Any]:
    if for_user:
        prefix = semconv.SPANFEED_EVENT_DATA
        return {k.removeprefix(prefix): v for k, v in attributes.items() if k.startswith(prefix)}
    return {k: v for k, v in attributes.items() if k.startswith(SHOWN_ATTRIBUTES)}

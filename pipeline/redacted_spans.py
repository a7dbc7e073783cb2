"""Exported spans without secrets, and without what was said unless the settings name the attribute that holds it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link
from opentelemetry.trace.status import Status

from pipeline import semconv
from pipeline.redaction import redactor_of
from pipeline.redaction_patterns import MARK
from pipeline.settings import Settings

logger = logging.getLogger(__name__)


class RedactingExporter(SpanExporter):
    """Gives spans to another exporter after taking out what must not leave; ids are left alone."""

    def __init__(self, settings: Settings, inner: SpanExporter) -> None:
        self._inner = inner
        self._redactor = redactor_of(settings)
        names = settings.span_content_attributes.split(",")
        self._allowed = frozenset(name.strip() for name in names if name.strip())

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Exports the spans, redacted."""
        return self._inner.export([self._redacted(span) for span in spans])

    def shutdown(self) -> None:
        """Ends the other exporter."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Sends what the other exporter holds."""
        return self._inner.force_flush(timeout_millis)

    def _redacted(self, span: ReadableSpan) -> ReadableSpan:
        text = self._redactor.text
        status = span.status
        return ReadableSpan(
            name=text(span.name),
            context=span.get_span_context(),
            parent=span.parent,
            resource=span.resource,
            attributes=self._attributes(span.attributes),
            events=[SpanEvent(text(e.name), self._attributes(e.attributes), e.timestamp) for e in span.events],
            links=[Link(link.context, self._attributes(link.attributes)) for link in span.links],
            kind=span.kind,
            status=Status(status.status_code, text(status.description)) if status.description else status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _attributes(self, attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in (attributes or {}).items():
            if name.startswith(semconv.CONTENT) and name not in self._allowed:
                continue
            if name in semconv.IDS:
                found[name] = value
                continue
            redacted = self._redactor.value(value, name)
            # An attribute of several values keeps one type.
            found[self._redactor.text(name)] = MARK if isinstance(redacted, dict) else redacted
        return found

"""Exporting the stages' spans over OTLP, made from their events by whoever records them.

A worker's child cannot do it: a batch that waits in a killed child is lost (measured: with the child killed in the
search stage the spans of the two stages before it never arrived), and a span that another process ends has no owner.
"""

from __future__ import annotations

import collections
import logging
from collections.abc import Iterable
from typing import Any, TypeGuard

import orjson

from pipeline import semconv
from pipeline.bus.runs import unix_ns
from pipeline.catalog import STAGE_TYPES
from pipeline.settings import Settings
from pipeline.store.rows import Row
from pipeline.tracing import EndedSpan, Tracing

logger = logging.getLogger(__name__)
_REMEMBERED_STARTS = 10_000


def _is_hex(text: str | None) -> TypeGuard[str]:
    return text is not None and all(letter in "0123456789abcdef" for letter in text) and text.strip("0") != ""


def _is_of_stage(row: Row) -> bool:
    """Whether a stage opened the span, perhaps for a tool of one's own.

    Ordinary spans, which have no attempt, are exported by the process that made them.
    """
    return row.event_type in STAGE_TYPES or (row.event_type.startswith("tool_") and row.attempt is not None)


class TraceExport:
    """Turns recorded events into exported spans; does nothing without an OTLP endpoint."""

    def __init__(self, settings: Settings) -> None:
        self._tracing = Tracing(settings, component="worker")
        self._starts: collections.OrderedDict[str, int] = collections.OrderedDict()

    def tell(self, rows: Iterable[Row]) -> None:
        """Takes recorded events in order. Never waits: the spans are sent by a thread of their own."""
        if not self._tracing.exports:
            return
        for row in rows:
            if not _is_of_stage(row) or not _is_hex(row.span_id):
                continue
            if row.event_status == "started":
                self._starts[row.span_id] = row.id
                if len(self._starts) > _REMEMBERED_STARTS:
                    self._starts.popitem(last=False)
            elif row.event_status in {"completed", "failed"}:
                try:
                    self._export(row, row.span_id)
                except (TypeError, ValueError, KeyError, AttributeError) as error:
                    logger.warning("a span could not be exported: %s", type(error).__name__)

    def _export(self, row: Row, span_id: str) -> None:
        if not _is_hex(row.trace_id) or not _is_hex(row.parent_span_id):
            return
        took_ns = int(row.processing_time_ms or 0) * 1_000_000
        started = self._starts.pop(span_id, None)
        # A recorder that was started later has not seen the start: then it is told by the end and the duration.
        start_ns = unix_ns(started) if started is not None else unix_ns(row.id) - took_ns
        span = EndedSpan(
            name=row.event_type,
            trace_id=row.trace_id,
            span_id=span_id,
            parent_span_id=row.parent_span_id,
            start_ns=start_ns,
            end_ns=start_ns + took_ns,
            attributes={name: value for name, value in _attributes(row).items() if value is not None},
            failure=(row.reason or "error") if row.event_status == "failed" else None,
        )
        self._tracing.export_ended(span)

    def close(self) -> None:
        """Sends what waits, bounded in time."""
        self._tracing.shutdown()


def _attributes(row: Row) -> dict[str, Any]:
    return {
        semconv.SESSION_ID: row.session_id,
        semconv.USER_ID: row.user_id,
        semconv.GEN_AI_CONVERSATION_ID: row.session_id,
        semconv.SPANFEED_MESSAGE_ID: row.message_id,
        semconv.SPANFEED_ATTEMPT: row.attempt,
        semconv.MESSAGING_SYSTEM: "celery",
        semconv.MESSAGING_MESSAGE_ID: row.task_id,
        semconv.ERROR_TYPE: row.error_type,
        semconv.SPANFEED_REASON: row.reason,
        **(orjson.loads(bytes(row.metadata)) or {}).get("attributes", {}),
    }

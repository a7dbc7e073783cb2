"""Exporting the stages' spans over OTLP, made from their events by whoever records them.

A worker's child cannot do it: a batch that waits in a killed child is lost (measured: with the child killed in the
search stage the spans of the two stages before it never arrived), and a span that another process ends has no owner.
"""

from __future__ import annotations

import collections
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline import semconv
from pipeline.bus.runs import unix_ns
from pipeline.catalog import STAGE_TYPES
from pipeline.settings import Settings
from pipeline.tracing import EndedSpan, Tracing

logger = logging.getLogger(__name__)
_REMEMBERED_STARTS = 10_000


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text) and text.strip("0") != ""


class TraceExport:
    """Turns recorded events into exported spans; does nothing without an OTLP endpoint."""

    def __init__(self, settings: Settings) -> None:
        self._tracing = Tracing(settings, component="worker")
        self._starts: collections.OrderedDict[str, int] = collections.OrderedDict()

    def tell(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Takes recorded events in order. Never waits: the spans are sent by a thread of their own."""
        if not self._tracing.exports:
            return
        for row in rows:
            ids = (row["span_id"], row["trace_id"], row["parent_span_id"])
            if row["event_type"] not in STAGE_TYPES or not all(isinstance(i, str) and _is_hex(i) for i in ids):
                continue
            if row["event_status"] == "started":
                self._starts[row["span_id"]] = row["id"]
                if len(self._starts) > _REMEMBERED_STARTS:
                    self._starts.popitem(last=False)
            elif row["event_status"] in {"completed", "failed"}:
                try:
                    self._tracing.export_ended(self._span(row))
                except (TypeError, ValueError, KeyError, AttributeError) as error:
                    logger.warning("a span could not be exported: %s", type(error).__name__)

    def _span(self, row: Mapping[str, Any]) -> EndedSpan:
        took_ns = int(row["processing_time_ms"] or 0) * 1_000_000
        started = self._starts.pop(row["span_id"], None)
        # A recorder that was started later has not seen the start: then it is told by the end and the duration.
        start_ns = unix_ns(started) if started is not None else unix_ns(row["id"]) - took_ns
        attributes = {
            semconv.SESSION_ID: row["session_id"],
            semconv.USER_ID: row["user_id"],
            semconv.GEN_AI_CONVERSATION_ID: row["session_id"],
            semconv.SPANFEED_MESSAGE_ID: row["message_id"],
            semconv.SPANFEED_ATTEMPT: row["attempt"],
            semconv.MESSAGING_SYSTEM: "celery",
            semconv.MESSAGING_MESSAGE_ID: row["task_id"],
            semconv.ERROR_TYPE: row["error_type"],
            semconv.SPANFEED_REASON: row["reason"],
            **(row["metadata"] or {}).get("attributes", {}),
        }
        return EndedSpan(
            name=row["event_type"],
            trace_id=row["trace_id"],
            span_id=row["span_id"],
            parent_span_id=row["parent_span_id"],
            start_ns=start_ns,
            end_ns=start_ns + took_ns,
            attributes={name: value for name, value in attributes.items() if value is not None},
            failure=(row["reason"] or "error") if row["event_status"] == "failed" else None,
        )

    def close(self) -> None:
        """Sends what waits, bounded in time."""
        self._tracing.shutdown()

"""Telling what becomes of documents while they are indexed: each that is new or has changed, from begin to end."""

from __future__ import annotations

import datetime
import time
from typing import Any

from pipeline.event import Category
from pipeline.unified import EventSystem, UnifiedEvent
from pipeline.unified.event import SOURCES, written

_HALF_DONE = 50
"""A document has two parts of work: its text is taken out of the file, then it is put into the index."""


class DocumentTeller:
    """Of one command or request. Whoever it is for (`user_id`) is told, without one everybody is.

    At most `limit` documents are told; none of the methods raises.
    """

    def __init__(self, events: EventSystem, collection: str, limit: int, user_id: str | None = None) -> None:
        self._events = events
        self._collection = collection
        self._user_id = user_id
        self._left = limit
        self._quiet = False
        self._begun_at: dict[str, float] = {}
        self._percent = 0

    def expects(self, name: str, new: bool, skipped_quietly: bool) -> None:
        """Work on a document begins. One that is not new may turn out to be unchanged, of which nothing is told.

        `skipped_quietly`: that it cannot be read is no news.
        """
        self._quiet = skipped_quietly
        self._percent = 0
        if new and not skipped_quietly:
            self._begin(name)

    def page_read(self, name: str, page: int, pages: int) -> None:
        """A page was read; told when that is another whole per cent, so at most 50 times a document.

        Of a document that was known before nothing is told yet: it may turn out to be unchanged.
        """
        percent = _HALF_DONE * page // pages
        if percent <= self._percent:
            return
        self._percent = percent
        done = {"progress": percent, "progress_percent": percent, "current_step": "reading"}
        self._tell("processing_progress", name, "updated_at", status="processing", **done, page=page, pages=pages)

    def half_done(self, name: str, chunks: int) -> None:
        """Its text was taken out of the file; so many chunks go into the index."""
        self._begin(name)
        done = {"progress": _HALF_DONE, "progress_percent": _HALF_DONE, "current_step": "indexing", "chunks": chunks}
        self._tell("processing_progress", name, "updated_at", status="processing", **done)

    def completed(self, name: str, outcome: str, chunks: int) -> None:
        """It is in the index: `added` or `replaced`."""
        found = {"outcome": outcome, "chunks_created": chunks, "processing_time": self._seconds(name)}
        self._tell("processing_completed", name, "completed_at", status="completed", **found, result=found)
        self._begun_at.pop(name, None)

    def skipped(self, name: str, why: str) -> None:
        """It cannot be read."""
        if not self._quiet:
            self._begin(name)
        self.failed(name, why)

    def failed(self, name: str, error: str) -> None:
        """It could not be indexed."""
        self._tell("processing_failed", name, "failed_at", status="failed", error=error)
        self._begun_at.pop(name, None)

    def _begin(self, name: str) -> None:
        if name in self._begun_at or self._left <= 0:
            return
        self._left -= 1
        self._begun_at[name] = time.monotonic()
        self._tell("uploaded", name, "updated_at", status="uploaded")
        self._tell("processing_started", name, "started_at", status="processing")

    def _seconds(self, name: str) -> float:
        return round(time.monotonic() - self._begun_at.get(name, time.monotonic()), 3)

    def _tell(self, what: str, name: str, moment: str, **more: Any) -> None:
        if name not in self._begun_at:
            return
        data = {
            "document_id": f"{self._collection}/{name}",
            "collection": self._collection,
            "filename": name.rpartition("/")[2],
            moment: written(datetime.datetime.now(datetime.UTC)),
            **more,
        }
        event = UnifiedEvent(
            Category.REALTIME,
            f"document.{what}",
            data=data,
            user_id=self._user_id,
            source_system=SOURCES[Category.REALTIME],
        )
        self._events.emit_event(event)

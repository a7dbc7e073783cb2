"""The ways in which a start can end before the page is there."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import SpanfeedError


class StartFailed(SpanfeedError):
    """Spanfeed could not start."""

    def __init__(self, message: str | None = None, tail: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.tail = tuple(tail)


class StopRequested(SpanfeedError):
    """Spanfeed was asked to end."""

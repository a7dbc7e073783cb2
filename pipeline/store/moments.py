"""Ids as moments: an event's id counts microseconds from 2020."""

from __future__ import annotations

import datetime
import functools

from pipeline.event import EPOCH_OFFSET_SECONDS
from pipeline.store.conversations import utc

_MICROSECOND = datetime.timedelta(microseconds=1)
_EPOCH = datetime.datetime.fromtimestamp(EPOCH_OFFSET_SECONDS, datetime.UTC)
_TEXT = "%Y-%m-%dT%H:%M:%S.%fZ"
LAST_ID = (datetime.datetime.max.replace(tzinfo=datetime.UTC) - _EPOCH) // _MICROSECOND
"""The last id that is a moment: in the year 9999."""


def moment_of(event_id: int) -> datetime.datetime:
    """The moment that an id stands for."""
    return _EPOCH + event_id * _MICROSECOND


def id_at(moment: datetime.datetime) -> int:
    """The id that an event of that moment would have."""
    return max(0, (utc(moment) - _EPOCH) // _MICROSECOND)


def timestamp_text(event_id: int) -> str:
    """The id written as a date: UTC, six digits, Z."""
    return moment_of(event_id).strftime(_TEXT)


def time_text(moment: datetime.datetime) -> str:
    """A moment as all texts write it: UTC, six digits, Z."""
    return utc(moment).strftime(_TEXT)


def known_time_text(moment: datetime.datetime | None) -> str | None:
    """As `time_text`; None where the moment is not known."""
    return None if moment is None else time_text(moment)


def moment_text(event_id: int) -> str:
    """The moment as the databases read it: UTC, without saying so."""
    seconds, microseconds = divmod(event_id, 1_000_000)
    return f"{_second_text(seconds)}.{microseconds:06d}"


@functools.lru_cache(maxsize=16)
def _second_text(seconds: int) -> str:
    # Events come in order: one second's text serves them all.
    return moment_of(seconds * 1_000_000).strftime("%Y-%m-%d %H:%M:%S")

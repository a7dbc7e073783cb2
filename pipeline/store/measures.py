"""What alert rules measure in the record: how many events of each kind came lately, and how long stages took."""

from __future__ import annotations

import dataclasses
import datetime

from sqlalchemy import func, select

from pipeline.event import Category, Status
from pipeline.store.engine import Store
from pipeline.store.models import events
from pipeline.store.moments import id_at

_DURATIONS_ROWS = 10_000


@dataclasses.dataclass(frozen=True)
class Kind:
    """Events that have all of this in common, and how many there were."""

    event_type: str
    category: str
    priority: str
    status: str | None
    reason: str | None
    source_system: str | None
    count: int


def _since(seconds: float) -> int:
    return id_at(datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds))


def kinds(store: Store, window_seconds: float) -> list[Kind]:
    """The events of the last so many seconds, counted by kind. Raises StoreUnavailable."""
    columns = events.c
    by = (
        columns.event_type,
        columns.category,
        columns.priority,
        columns.event_status,
        columns.reason,
        columns.source_system,
    )
    statement = select(*by, func.count()).where(columns.id > _since(window_seconds)).group_by(*by)
    with store.read() as connection:
        return [Kind(*row) for row in connection.execute(statement)]


def durations_ms(store: Store, event_type: str, window_seconds: float) -> list[int]:
    """How long the stage took each time in the last so many seconds, the newest 10,000. Raises StoreUnavailable."""
    columns = events.c
    statement = (
        select(columns.processing_time_ms)
        .where(
            columns.category == Category.WORKFLOW,
            columns.id > _since(window_seconds),
            columns.event_type == event_type,
            columns.event_status == Status.COMPLETED,
            columns.processing_time_ms.is_not(None),
        )
        .order_by(columns.id.desc())
        .limit(_DURATIONS_ROWS)
    )
    with store.read() as connection:
        return [int(found) for found in connection.execute(statement).scalars()]

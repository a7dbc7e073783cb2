"""How many events have been stored: since the beginning, and lately."""

from __future__ import annotations

import dataclasses
import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import ProgrammingError

from pipeline.errors import StoreUnavailable
from pipeline.store.engine import Store
from pipeline.store.models import dead_letters, event_minutes, event_totals, events
from pipeline.store.moments import id_at

_LAST_MINUTE = datetime.timedelta(minutes=1)
_LAST_HOUR = datetime.timedelta(hours=1)
_LAST_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Total:
    """So many events of one kind."""

    category: str
    event_type: str
    priority: str
    events: int


@dataclasses.dataclass(frozen=True)
class Lately:
    """How many events there were in the last minute, hour and day; the latter two by whole minutes."""

    minute: int
    hour: int
    day: int


def in_all(store: Store) -> tuple[list[Total], int]:
    """The events since the beginning, most frequent first, and how many dead letters there are.

    Raises StoreUnavailable, also where the database has no such table yet.
    """
    statement = select(event_totals).order_by(event_totals.c.events.desc(), event_totals.c.event_type)
    try:
        with store.read() as connection:
            found = [Total(r.category, r.event_type, r.priority, r.events) for r in connection.execute(statement)]
            dead = connection.execute(select(func.count()).select_from(dead_letters)).scalar_one()
    except ProgrammingError as error:
        raise StoreUnavailable("the database is not up to date") from error
    return found, int(dead)


def lately(store: Store, now: datetime.datetime) -> Lately:
    """How many events are stored of the last minute, hour and day before `now`. Raises StoreUnavailable."""
    with store.read() as connection:
        minute = select(func.count()).select_from(events).where(events.c.id > id_at(now - _LAST_MINUTE))
        counts = [int(connection.execute(minute).scalar_one())]
        for span in (_LAST_HOUR, _LAST_DAY):
            since = (now - span).replace(second=0, microsecond=0)
            counted = select(func.sum(event_minutes.c.events)).where(event_minutes.c.minute >= since)
            counts.append(int(connection.execute(counted).scalar_one() or 0))
    return Lately(*counts)

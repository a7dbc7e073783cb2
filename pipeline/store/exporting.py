"""Reading the record from one end to the other, a page at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from sqlalchemy import select

from pipeline.event import Event
from pipeline.store.engine import Store
from pipeline.store.events import event_of
from pipeline.store.models import events

_PAGE_ROWS = 100
"""Events may have a mebibyte each: a page of these bounds the memory."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Which events are wanted; what is empty wants all. A session's are those that its feed shows."""

    session_id: str | None = None
    message_id: str | None = None
    categories: tuple[str, ...] = ()


def stored_events(store: Store, after: int, limit: int | None, chosen: Chosen = Chosen()) -> Iterator[Event]:
    """The stored events behind `after`, ascending, at most `limit`. Raises StoreUnavailable.

    Each page is a transaction of its own, so a long export holds nothing up.
    """
    statement = select(events).order_by(events.c.id)
    if chosen.session_id is not None:
        statement = statement.where(events.c.session_id == chosen.session_id, events.c.seq.is_not(None))
    if chosen.message_id is not None:
        statement = statement.where(events.c.message_id == chosen.message_id)
    if chosen.categories:
        statement = statement.where(events.c.category.in_(chosen.categories))
    left = limit
    while left is None or left > 0:
        rows = _PAGE_ROWS if left is None else min(_PAGE_ROWS, left)
        with store.read() as connection:
            page = [event_of(row) for row in connection.execute(statement.where(events.c.id > after).limit(rows))]
        yield from page
        if len(page) < rows:
            return
        after = page[-1].id
        left = None if left is None else left - len(page)

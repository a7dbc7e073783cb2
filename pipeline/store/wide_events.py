"""Stored events across all sessions: a user's, those for everyone, all of them; oldest first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, TextClause, select

from pipeline.event import Event
from pipeline.store.engine import Store
from pipeline.store.events import Filters, conditions_of, event_of
from pipeline.store.models import FOR_EVERYONE, events

Condition = ColumnElement[bool] | TextClause


def _read(
    store: Store, condition: Condition | None, after: int, upto: int, limit: int, filters: Filters
) -> list[Event]:
    conditions: list[Any] = [events.c.id > after, events.c.id <= upto, *conditions_of(filters, store.dialect)]
    if condition is not None:
        conditions.append(condition)
    statement = select(events).where(*conditions).order_by(events.c.id).limit(limit)
    with store.read() as connection:
        return [event_of(row) for row in connection.execute(statement)]


def naming_user(
    store: Store, user_id: str, after: int, upto: int, limit: int, filters: Filters = Filters()
) -> list[Event]:
    """At most `limit` events that name the user, behind `after` up to `upto`; whoever may see them."""
    return _read(store, events.c.user_id == user_id, after, upto, limit, filters)


def for_everyone(store: Store, after: int, upto: int, limit: int, filters: Filters = Filters()) -> list[Event]:
    """At most `limit` events for everyone; some may only look like it, see `models.FOR_EVERYONE`."""
    return _read(store, FOR_EVERYONE[store.dialect], after, upto, limit, filters)


def all_kinds(store: Store, after: int, upto: int, limit: int, filters: Filters = Filters()) -> list[Event]:
    """At most `limit` events of every kind."""
    return _read(store, None, after, upto, limit, filters)

"""Event types of one's own: kept, replaced, removed, listed."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from pipeline.store.conversations import utc
from pipeline.store.engine import Store
from pipeline.store.models import event_types


@dataclasses.dataclass(frozen=True)
class OwnType:
    """A type as it is kept. `schema` is a JSON Schema for the data, None where anything may stand in them."""

    name: str
    category: str
    priority: str
    audience: str
    schema: dict[str, Any] | None
    texts: dict[str, str]
    made_by: str
    created_at: datetime.datetime
    updated_at: datetime.datetime


def save(store: Store, made: OwnType, limit: int) -> bool | None:
    """Keeps a type, in the place of one of the same name; whether it is new. None when there are `limit` already.

    Raises StoreUnavailable.
    """
    values = dataclasses.asdict(made)
    with store.write() as connection:
        columns = event_types.c
        kept = {name: value for name, value in values.items() if name not in {"name", "created_at"}}
        replaced = connection.execute(update(event_types).where(columns.name == made.name).values(**kept))
        if replaced.rowcount:
            return False
        if connection.execute(select(func.count()).select_from(event_types)).scalar_one() >= limit:
            return None
        connection.execute(insert(event_types).values(**values))
        return True


def remove(store: Store, name: str) -> bool:
    """Takes a type away; False when there is none of this name. Raises StoreUnavailable."""
    with store.write() as connection:
        return connection.execute(delete(event_types).where(event_types.c.name == name)).rowcount == 1


def listed(store: Store) -> list[OwnType]:
    """All types, by name. Raises StoreUnavailable."""
    with store.read() as connection:
        rows = connection.execute(select(event_types).order_by(event_types.c.name)).all()
    return [
        OwnType(**{**row._asdict(), "created_at": utc(row.created_at), "updated_at": utc(row.updated_at)})
        for row in rows
    ]

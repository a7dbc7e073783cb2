"""Leases: of several processes one does what must be done once, until its lease runs out."""

from __future__ import annotations

import datetime

from sqlalchemy import or_, update

from pipeline.store.dialects import ignoring_conflicts, insert_into, inserted
from pipeline.store.engine import Store
from pipeline.store.models import leases


def take(store: Store, name: str, holder: str, seconds: float) -> bool:
    """Takes a lease for so long, or renews one's own; False while somebody else holds it. Raises StoreUnavailable."""
    now = datetime.datetime.now(datetime.UTC)
    until = now + datetime.timedelta(seconds=seconds)
    columns = leases.c
    free = or_(columns.holder == holder, columns.until <= now)
    with store.write() as connection:
        statement = update(leases).where(columns.name == name, free).values(holder=holder, until=until)
        if connection.execute(statement).rowcount:
            return True
        row = ignoring_conflicts(insert_into(connection, leases)).values(name=name, holder=holder, until=until)
        return inserted(connection, row)


def give_back(store: Store, name: str, holder: str) -> None:
    """Lets others take the lease. Raises StoreUnavailable."""
    columns = leases.c
    statement = update(leases).where(columns.name == name, columns.holder == holder)
    with store.write() as connection:
        connection.execute(statement.values(until=datetime.datetime.now(datetime.UTC)))

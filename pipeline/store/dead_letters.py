"""Entries of the log that could not be stored as events: kept with their reason, listed, and tried again."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator

from sqlalchemy import Connection, delete, func, select, update

from pipeline.event import clean_text
from pipeline.store.conversations import utc
from pipeline.store.dialects import ignoring_conflicts, insert_into
from pipeline.store.engine import Store
from pipeline.store.models import dead_letters

SHOWN_CHARACTERS = 200
_REASON_LIMIT_CHARACTERS = 500
_PAGE_ROWS = 100


@dataclasses.dataclass(frozen=True)
class DeadLetter:
    """One of them; `shown` is the beginning of what it held, without characters that disturb a terminal."""

    entry_id: str
    reason: str
    created_at: datetime.datetime
    shown: str


def bury(connection: Connection, entry_id: str, reason: str, wire: bytes | None) -> None:
    """Keeps an entry that cannot be stored as an event: its bytes, and a text that can be read with SQL.

    `wire` is None for an entry that held no event.
    """
    connection.execute(
        ignoring_conflicts(insert_into(connection, dead_letters)).values(
            entry_id=entry_id,
            reason=reason[:_REASON_LIMIT_CHARACTERS],
            payload=(wire or b"").decode("utf-8", "replace").replace("\x00", "\\0"),
            wire=wire,
            created_at=datetime.datetime.now(datetime.UTC),
        )
    )


def listed(store: Store, limit: int) -> list[DeadLetter]:
    """The oldest `limit` dead letters. Raises StoreUnavailable."""
    columns = dead_letters.c
    # Cut by the database: a payload may have a mebibyte.
    beginning = func.substr(columns.payload, 1, SHOWN_CHARACTERS)
    statement = (
        select(columns.entry_id, columns.reason, columns.created_at, beginning)
        .order_by(columns.created_at, columns.entry_id)
        .limit(limit)
    )
    with store.read() as connection:
        rows = connection.execute(statement).all()
    return [DeadLetter(row[0], row[1], utc(row[2]), " ".join(clean_text(row[3]).split())) for row in rows]


def entry_ids(store: Store) -> Iterator[str]:
    """The entries of all dead letters, asked for a page at a time. Raises StoreUnavailable."""
    after = ""
    while True:
        column = dead_letters.c.entry_id
        with store.read() as connection:
            page = connection.execute(select(column).where(column > after).order_by(column).limit(_PAGE_ROWS))
            found = list(page.scalars())
        yield from found
        if len(found) < _PAGE_ROWS:
            return
        after = found[-1]


def taken(connection: Connection, entry_id: str) -> tuple[bytes | None] | None:
    """The bytes of a dead letter, held until the transaction ends; None when there is no such letter.

    Letters from before the bytes were kept have only their text: it is taken where nothing in it was replaced.
    """
    statement = select(dead_letters.c.wire, dead_letters.c.payload).where(dead_letters.c.entry_id == entry_id)
    row = connection.execute(statement.with_for_update()).first()
    if row is None:
        return None
    if row.wire is None and row.payload and "\ufffd" not in row.payload and "\\0" not in row.payload:
        return (row.payload.encode(),)
    return (row.wire,)


def keep(connection: Connection, entry_id: str, reason: str) -> None:
    """Leaves a dead letter where it is, with the reason of now."""
    statement = update(dead_letters).where(dead_letters.c.entry_id == entry_id)
    connection.execute(statement.values(reason=reason[:_REASON_LIMIT_CHARACTERS]))


def remove(connection: Connection, entry_id: str) -> None:
    """Takes a dead letter away."""
    connection.execute(delete(dead_letters).where(dead_letters.c.entry_id == entry_id))

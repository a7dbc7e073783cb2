"""How far the log is stored, its epoch, and up to where events may have been deleted.

By the first two a Redis that lost data is recognised.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sqlalchemy import Connection, text, update

from pipeline.store import events
from pipeline.store.dialects import ignoring_conflicts, insert_into
from pipeline.store.engine import Store
from pipeline.store.models import recorder_state

_LOG = "log"
"""The row of the one log; with several shards each would have its own."""
_DELETED = "deleted"
_ID_LIMIT = 2**53
_READ = text("SELECT newest_id, epoch FROM recorder_state WHERE name = :name")
_ADVANCE = {
    "postgresql": text(
        "INSERT INTO recorder_state (name, newest_id) VALUES (:name, :newest_id) "
        "ON CONFLICT (name) DO UPDATE SET newest_id = greatest(recorder_state.newest_id, excluded.newest_id)"
    ),
    "sqlite": text(
        "INSERT INTO recorder_state (name, newest_id) VALUES (:name, :newest_id) "
        "ON CONFLICT (name) DO UPDATE SET newest_id = max(recorder_state.newest_id, excluded.newest_id)"
    ),
}


@dataclasses.dataclass(frozen=True)
class Mark:
    """The newest entry of the log that was ever stored (its id; 0 for none), and the epoch of the log that is known."""

    newest_id: int
    epoch: str | None


def read(store: Store) -> Mark:
    """What is known of the log. Raises StoreUnavailable."""
    with store.read() as connection:
        row = connection.execute(_READ, {"name": _LOG}).one_or_none()
    if row is None:
        # A database from before marks were kept.
        return Mark(events.newest_id(store), None)
    return Mark(int(row.newest_id), row.epoch)


def newest(entry_ids: Iterable[str]) -> int:
    """The newest of some entries, 0 for none."""
    ids = (int(entry_id.partition("-")[0]) for entry_id in entry_ids)
    # What was put into the log by hand may have any id; a larger one than an event's would stop the clock.
    return max((found for found in ids if found < _ID_LIMIT), default=0)


def advance(connection: Connection, newest_id: int) -> None:
    """Notes that the log is stored as far as `newest_id`, in the transaction that stores it."""
    connection.execute(_ADVANCE[connection.dialect.name], {"name": _LOG, "newest_id": newest_id})


def note_epoch(store: Store, mark: Mark, epoch: str) -> None:
    """Notes the log's epoch, and with it `mark`, where nothing is known yet. Raises StoreUnavailable."""
    with store.write() as connection:
        connection.execute(
            ignoring_conflicts(insert_into(connection, recorder_state)).values(
                name=_LOG, newest_id=mark.newest_id, epoch=epoch
            )
        )
        connection.execute(update(recorder_state).where(recorder_state.c.name == _LOG).values(epoch=epoch))


def note_deleted(store: Store, before_id: int) -> None:
    """Notes that events before the id are about to be deleted. Raises StoreUnavailable."""
    with store.write() as connection:
        connection.execute(_ADVANCE[connection.dialect.name], {"name": _DELETED, "newest_id": before_id})


def deleted_before(store: Store) -> int:
    """The id before which events may be gone, 0 when none was ever deleted. Raises StoreUnavailable."""
    with store.read() as connection:
        row = connection.execute(_READ, {"name": _DELETED}).one_or_none()
    return 0 if row is None else int(row.newest_id)

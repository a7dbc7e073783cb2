"""Storing a batch of the log's entries in one transaction; an entry that cannot be stored never holds the others up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, StatementError

from pipeline.errors import InvalidEvent
from pipeline.event import Reason
from pipeline.store import conversations, events
from pipeline.store.engine import Store


@dataclasses.dataclass(frozen=True)
class Recorded:
    """The rows that were stored, in order, and how many entries were put with the dead letters."""

    rows: list[dict[str, Any]]
    buried: int


@dataclasses.dataclass(frozen=True)
class _Poison:
    entry_id: str
    wire: bytes | None
    why: str


Row = tuple[str, bytes, dict[str, Any]]


def record(store: Store, entries: Sequence[tuple[str, bytes | None]], partial_answer: Callable[[str], str]) -> Recorded:
    """Stores the entries, once each. `partial_answer` tells what had been said of a message that failed.

    Raises StoreUnavailable; then nothing is stored.
    """
    rows: list[Row] = []
    poison: list[_Poison] = []
    for entry_id, wire in entries:
        try:
            if wire is None:
                raise InvalidEvent("the entry has no event")
            rows.append((entry_id, wire, events.row_of(wire)))
        except InvalidEvent as error:
            poison.append(_Poison(entry_id, wire, str(error)))
    failed = [row for _, _, row in rows if _ends_a_message(row)]
    partial = {row["message_id"]: partial_answer(row["message_id"]) for row in failed}
    with store.write() as connection:
        poison += _insert(connection, rows)
        for dead in poison:
            events.bury(connection, dead.entry_id, dead.why, (dead.wire or b"").decode("utf-8", "replace"))
        for row in failed:
            reason = row["reason"] or Reason.ERROR
            status = "cancelled" if reason == Reason.CANCELLED else "failed"
            conversations.fail_message(connection, row["message_id"], status, reason, partial[row["message_id"]])
    dead_entries = {dead.entry_id for dead in poison}
    return Recorded([row for entry_id, _, row in rows if entry_id not in dead_entries], len(poison))


def _ends_a_message(row: dict[str, Any]) -> bool:
    return row["event_type"] == "error" and row["event_status"] == "failed" and row["message_id"] is not None


def _insert(connection: Connection, rows: Sequence[Row]) -> list[_Poison]:
    """Stores the rows; where the database refuses them, halves are tried until the bad ones stand alone."""
    if not rows:
        return []
    try:
        with connection.begin_nested():
            events.insert_rows(connection, [row for _, _, row in rows])
    except (OperationalError, InterfaceError):
        raise
    except (DBAPIError, StatementError, UnicodeError, OverflowError) as error:
        if len(rows) == 1:
            entry_id, wire, _ = rows[0]
            return [_Poison(entry_id, wire, f"the database refused it: {type(error).__name__}")]
        middle = len(rows) // 2
        return _insert(connection, rows[:middle]) + _insert(connection, rows[middle:])
    return []

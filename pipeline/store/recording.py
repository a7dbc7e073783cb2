"""Storing a batch of the log's entries in one transaction; an entry that cannot be stored never holds the others up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, StatementError

from pipeline.errors import InvalidEvent
from pipeline.event import Reason
from pipeline.store import conversations, dead_letters, events, marks
from pipeline.store.bulk import NotNew, Refused
from pipeline.store.engine import Store
from pipeline.store.rows import Row, row_of

REFUSALS = (DBAPIError, StatementError, UnicodeError, OverflowError, Refused, NotNew)
"""What says that at least one row of several cannot be stored; but for OperationalError and InterfaceError."""

Entry = tuple[str, bytes | None]
"""An entry's id in the log, and its event's bytes."""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """The rows that were stored, in order, and how many entries were put with the dead letters."""

    rows: list[Row]
    buried: int


class _Read(NamedTuple):
    entry_id: str
    wire: bytes
    row: Row


_Failed = tuple[str, str]
"""A message's id, and the reason."""


class _Poison(NamedTuple):
    entry_id: str
    wire: bytes | None
    why: str


@dataclasses.dataclass(frozen=True)
class Batch:
    """Entries that were read: those that are events, and those that are not."""

    entry_ids: list[str]
    newest_id: int
    """The newest entry's number, 0 for none."""
    good: list[_Read]
    poison: list[_Poison]
    new: events.NewRows | None
    """The good ones, as they are stored when nothing is wrong; None where something is."""


def record(store: Store, entries: Iterable[Entry], partial_answer: Callable[[str], str]) -> Recorded:
    """Stores the entries, once each; see `read` and `store_batch`."""
    return store_batch(store, read(store.dialect, entries), partial_answer)


def read(dialect: str, entries: Iterable[Entry]) -> Batch:
    """Takes the entries apart, and gets them ready for a database of that kind."""
    entry_ids: list[str] = []
    good: list[_Read] = []
    poison: list[_Poison] = []
    for entry_id, wire in entries:
        entry_ids.append(entry_id)
        try:
            if wire is None:
                raise InvalidEvent("the entry has no event")
            good.append(_Read(entry_id, wire, row_of(wire)))
        except InvalidEvent as error:
            poison.append(_Poison(entry_id, wire, str(error)))
    new = None if poison else _ready(dialect, good)
    return Batch(entry_ids, marks.newest(entry_ids), good, poison, new)


def _ready(dialect: str, good: Sequence[_Read]) -> events.NewRows | None:
    try:
        return events.new_rows(dialect, [one.row for one in good])
    except Refused:
        return None


def store_batch(store: Store, batch: Batch, partial_answer: Callable[[str], str]) -> Recorded:
    """Stores a batch. `partial_answer` tells what had been said of a message that failed.

    Raises StoreUnavailable; then nothing is stored.
    """
    failed = _failed(batch.good)
    partial = {message_id: partial_answer(message_id) for message_id, _ in failed}
    poison = list(batch.poison)
    if batch.new is None or not _stored_as_new(store, batch, batch.new, failed, partial):
        with store.write() as connection:
            poison += _insert(connection, batch.good)
            for dead in poison:
                dead_letters.bury(connection, dead.entry_id, dead.why, dead.wire)
            _mark_failed(connection, failed, partial)
            marks.advance(connection, batch.newest_id)
    dead_entries = {dead.entry_id for dead in poison}
    rows = [one.row for one in batch.good if one.entry_id not in dead_entries]
    return Recorded(rows, len(poison))


def _stored_as_new(
    store: Store, batch: Batch, new: events.NewRows, failed: Sequence[_Failed], partial: Mapping[str, str]
) -> bool:
    """Stores a batch in which nothing is wrong and nothing is known, as nearly all are: without savepoints."""
    try:
        with store.write() as connection:
            events.insert_new_rows(connection, new)
            _mark_failed(connection, failed, partial)
            marks.advance(connection, batch.newest_id)
    except (OperationalError, InterfaceError):
        raise
    except REFUSALS:
        return False
    return True


def retry(store: Store, entry_id: str) -> str | None:
    """Tries to store a dead letter as an event: then it is gone, else it stays with the reason of now, which is given.

    Raises KeyError when there is no such letter, StoreUnavailable.
    """
    with store.write() as connection:
        taken = dead_letters.taken(connection, entry_id)
        if taken is None:
            raise KeyError(entry_id)
        batch = read(store.dialect, [(entry_id, *taken)])
        poison = batch.poison + _insert(connection, batch.good)
        if poison:
            dead_letters.keep(connection, entry_id, poison[0].why)
            return poison[0].why
        # What had been said is long gone from Redis.
        _mark_failed(connection, _failed(batch.good), {})
        dead_letters.remove(connection, entry_id)
    return None


def _failed(read: Iterable[_Read]) -> list[_Failed]:
    """The messages that the events end, and why."""
    errors = (one.row for one in read if one.row.event_type == "error")
    return [
        (row.message_id, row.reason or Reason.ERROR)
        for row in errors
        if row.event_status == "failed" and row.message_id is not None
    ]


def _mark_failed(connection: Connection, failed: Iterable[_Failed], partial: Mapping[str, str]) -> None:
    for message_id, reason in failed:
        status = "cancelled" if reason == Reason.CANCELLED else "failed"
        conversations.fail_message(connection, message_id, status, reason, partial.get(message_id, ""))


def _insert(connection: Connection, good: Sequence[_Read]) -> list[_Poison]:
    """Stores the rows; where the database refuses them, halves are tried until the bad ones stand alone."""
    if not good:
        return []
    try:
        with connection.begin_nested():
            events.insert_rows(connection, [one.row for one in good])
    except (OperationalError, InterfaceError):
        raise
    except REFUSALS as error:
        if len(good) == 1:
            return [_Poison(good[0].entry_id, good[0].wire, f"the database refused it: {type(error).__name__}")]
        middle = len(good) // 2
        return _insert(connection, good[:middle]) + _insert(connection, good[middle:])
    return []

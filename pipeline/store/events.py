"""Events in SQL: stored in batches, read back as the bytes that were announced, counted, cleaned up."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, or_, select, text

from pipeline.event import Event, encode
from pipeline.store import bulk
from pipeline.store.dialects import ignoring_conflicts, insert_into
from pipeline.store.engine import Store
from pipeline.store.models import dead_letters, events
from pipeline.store.moments import timestamp_text
from pipeline.store.rollups import Counts
from pipeline.store.rows import Row

# The order in which the scripts write them: read back, an event is the same bytes.
_WIRE_ORDER = (
    "id seq timestamp attempt processing_time_ms queue_time_ms event_type category priority session_id message_id "
    "user_id correlation_id trace_id span_id parent_span_id source_system event_status user_message event_data "
    "metadata reason error_type task_id"
).split()
_RECORDERS_LOCK = 7_364_413
"""Any number, the same for all: recorders on PostgreSQL store one after the other."""
_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
_DELETE_CHUNK_ROWS = 5_000
_NO_ID_IS_ABOVE = 2**63 - 1
# Made once: every client that catches up asks this, and making it costs more than the answer (measured).
# Operators' events carry the session in their metadata only, so every row of the session has a seq.
_OF_SESSION = (
    select(events)
    .where(
        events.c.session_id == bindparam("session_id"),
        events.c.seq.is_not(None),
        events.c.id > bindparam("after"),
        events.c.id <= bindparam("upto"),
    )
    .limit(bindparam("limit"))
)
_OLDEST_FIRST = _OF_SESSION.order_by(events.c.id)
_NEWEST_FIRST = _OF_SESSION.order_by(events.c.id.desc())


@dataclasses.dataclass(frozen=True)
class Filters:
    """Which events are wanted; an empty field wants all. A type may hold `*` for any characters."""

    event_types: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()


def event_of(row: Any) -> Event:
    """The event of a row of the table, the same bytes that were announced."""
    values = row._asdict()
    values["timestamp"] = timestamp_text(values["id"])
    return Event(
        id=values["id"],
        seq=values["seq"],
        event_type=values["event_type"],
        event_status=values["event_status"],
        category=values["category"],
        priority=values["priority"],
        message_id=values["message_id"],
        wire=encode({name: values[name] for name in _WIRE_ORDER}),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class NewRows:
    """Events that are believed new, ready to be stored."""

    written: bulk.Written
    counts: Counts


def new_rows(dialect: str, rows: Iterable[Row]) -> NewRows:
    """Gets events ready for a database, in which nothing is done yet. Raises bulk.Refused."""
    once = list({row.id: row for row in rows}.values())
    return NewRows(bulk.written(dialect, once), Counts(once))


def insert_new_rows(connection: Connection, rows: NewRows) -> None:
    """Stores events that are believed new, and counts them. Raises what `bulk.store_new` raises.

    Recorders do it one after the other (on SQLite every writer does): what one has stored, the next must see, or
    both would count it.
    """
    if not rows.written:
        return
    _wait_for_recorders(connection)
    bulk.store_new(connection, rows.written)
    rows.counts.add(connection)


def insert_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """Stores those events that are not there yet, and counts them."""
    _wait_for_recorders(connection)
    rows = _unknown(connection, list({row.id: row for row in rows}.values()))
    if rows:
        connection.execute(ignoring_conflicts(insert_into(connection, events)), [row.fields() for row in rows])
        Counts(rows).add(connection)


def _wait_for_recorders(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"lock": _RECORDERS_LOCK})


def _unknown(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    ids = [row.id for row in rows]
    known = set(connection.execute(select(events.c.id).where(events.c.id.in_(ids))).scalars())
    return [row for row in rows if row.id not in known]


def _like(column: ColumnElement[str], pattern: str, dialect: str) -> ColumnElement[bool]:
    """A type's pattern with `*`; SQLite's LIKE would not tell `Tool` from `tool`."""
    if dialect == "sqlite":
        return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]").replace("?", "[?]"))
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.like(escaped.replace("*", "%"), escape="\\")


def conditions_of(filters: Filters, dialect: str, columns: Any = events.c) -> list[ColumnElement[bool]]:
    """The filters in SQL, on the events or on the columns of another table that counts them."""
    found: list[ColumnElement[bool]] = []
    if filters.event_types:
        exact = [t for t in filters.event_types if "*" not in t]
        patterns = [t for t in filters.event_types if "*" in t]
        likes = (_like(columns.event_type, t, dialect) for t in patterns)
        found.append(or_(columns.event_type.in_(exact), *likes))
    if filters.statuses:
        found.append(columns.event_status.in_(filters.statuses))
    if filters.categories:
        found.append(columns.category.in_(filters.categories))
    if filters.priorities:
        found.append(columns.priority.in_(filters.priorities))
    return found


def _read_session(
    store: Store,
    statement: Select[Any],
    session_id: str,
    after: int,
    limit: int,
    filters: Filters,
    upto: int | None,
) -> list[Event]:
    conditions = conditions_of(filters, store.dialect)
    asked = {
        "session_id": session_id,
        "after": after,
        "upto": _NO_ID_IS_ABOVE if upto is None else upto,
        "limit": limit,
    }
    with store.read() as connection:
        found = connection.execute(statement.where(*conditions) if conditions else statement, asked)
        return [event_of(row) for row in found]


def session_events(
    store: Store, session_id: str, after: int, limit: int, filters: Filters = Filters(), upto: int | None = None
) -> list[Event]:
    """At most `limit` stored events of the session behind `after`, oldest first."""
    return _read_session(store, _OLDEST_FIRST, session_id, after, limit, filters, upto)


def latest_session_events(
    store: Store, session_id: str, count: int, filters: Filters = Filters(), upto: int | None = None
) -> list[Event]:
    """The newest `count` stored events of the session, oldest first."""
    return _read_session(store, _NEWEST_FIRST, session_id, -1, count, filters, upto)[::-1]


def message_events(store: Store, message_id: str, limit: int) -> list[Event]:
    """At most `limit` stored events of the message's stages, oldest first."""
    statement = (
        select(events)
        .where(events.c.message_id == message_id, events.c.seq.is_not(None))
        .order_by(events.c.id)
        .limit(limit)
    )
    with store.read() as connection:
        return [event_of(row) for row in connection.execute(statement)]


def newest_id(store: Store) -> int:
    """The newest stored id, 0 when there is none."""
    with store.read() as connection:
        return int(connection.execute(select(func.max(events.c.id))).scalar() or 0)


def statistics(store: Store) -> dict[str, Any]:
    """How many events are stored: in all, by category, by type and status, by session (ten largest), and their age."""
    with store.read() as connection:
        total, oldest, newest = connection.execute(
            select(func.count(), func.min(events.c.id), func.max(events.c.id)).select_from(events)
        ).one()
        by_category = connection.execute(
            select(events.c.category, func.count()).group_by(events.c.category).order_by(events.c.category)
        ).all()
        by_type = connection.execute(
            select(events.c.event_type, events.c.event_status, func.count())
            .group_by(events.c.event_type, events.c.event_status)
            .order_by(func.count().desc())
        ).all()
        sessions_seen = connection.execute(select(func.count(events.c.session_id.distinct()))).scalar_one()
        dead = connection.execute(select(func.count()).select_from(dead_letters)).scalar_one()
    return {
        "total": total,
        "sessions": sessions_seen,
        "oldest": None if oldest is None else timestamp_text(oldest),
        "newest": None if newest is None else timestamp_text(newest),
        "by_category": dict(by_category),
        "by_type": {f"{event_type} {status or ''}".strip(): count for event_type, status, count in by_type},
        "dead_letters": dead,
    }


def _older(before_id: int, categories: Sequence[str] | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [events.c.id < before_id]
    if categories is not None:
        conditions.append(events.c.category.in_(categories))
    return conditions


def count_older(store: Store, before_id: int, categories: Sequence[str] | None = None) -> int:
    """How many events lie before the id; of all categories or the given ones."""
    with store.read() as connection:
        statement = select(func.count()).select_from(events).where(*_older(before_id, categories))
        return int(connection.execute(statement).scalar_one())


def delete_older(store: Store, before_id: int, categories: Sequence[str] | None = None) -> int:
    """Deletes events before the id, a few thousand a transaction so that nobody waits long. Returns how many."""
    deleted = 0
    while True:
        some = select(events.c.id).where(*_older(before_id, categories)).limit(_DELETE_CHUNK_ROWS)
        with store.write() as connection:
            rows = connection.execute(delete(events).where(events.c.id.in_(some.scalar_subquery()))).rowcount
        deleted += rows
        if rows < _DELETE_CHUNK_ROWS:
            return deleted

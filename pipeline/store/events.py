"""Events in SQL: stored in batches, read back as the bytes that were announced, counted, cleaned up."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.errors import InvalidEvent
from pipeline.event import EPOCH_OFFSET_SECONDS, Event, encode
from pipeline.store.conversations import utc
from pipeline.store.dialects import ignoring_conflicts, insert_into
from pipeline.store.engine import Store
from pipeline.store.models import dead_letters, event_minutes, events

_FIELDS = tuple(column.name for column in events.columns)
# The order in which the scripts write them: read back, an event is the same bytes.
_WIRE_ORDER = (
    "id seq timestamp attempt processing_time_ms queue_time_ms event_type category priority session_id message_id "
    "user_id correlation_id trace_id span_id parent_span_id source_system event_status user_message event_data "
    "metadata reason error_type task_id"
).split()
_NEEDED = {"id": int, "event_type": str, "category": str, "priority": str, "timestamp": datetime.datetime}
_JSON_FIELDS = {"event_data", "metadata"}
_NUMBERS = {"seq", "attempt", "processing_time_ms", "queue_time_ms"}
_KINDS: dict[str, Any] = {
    name: _NEEDED.get(name) or (int if name in _NUMBERS else str) | None for name in _FIELDS if name not in _JSON_FIELDS
}
"""What a field of an event may be; anything may stand in the two that are JSON."""
_RECORDERS_LOCK = 7_364_413
"""Any number, the same for all: recorders on PostgreSQL store one after the other."""
_DELETE_CHUNK_ROWS = 5_000
_MICROSECOND = datetime.timedelta(microseconds=1)
_EPOCH = datetime.datetime.fromtimestamp(EPOCH_OFFSET_SECONDS, datetime.UTC)


@dataclasses.dataclass(frozen=True)
class Filters:
    """Which events are wanted; an empty field wants all. A type may hold `*` for any characters."""

    event_types: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()


def moment_of(event_id: int) -> datetime.datetime:
    """The moment that an id stands for."""
    return _EPOCH + event_id * _MICROSECOND


def id_at(moment: datetime.datetime) -> int:
    """The id that an event of that moment would have."""
    return max(0, (utc(moment) - _EPOCH) // _MICROSECOND)


def timestamp_text(event_id: int) -> str:
    """The id written as a date: UTC, six digits, Z."""
    return moment_of(event_id).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def row_of(wire: bytes) -> dict[str, Any]:
    """The row for an announced event. Raises InvalidEvent for what cannot be one."""
    try:
        data = orjson.loads(wire)
        row = {name: data.get(name) for name in _FIELDS}
        row["timestamp"] = moment_of(data["id"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidEvent(f"not an event: {type(error).__name__}") from None
    for name, kind in _KINDS.items():
        if not isinstance(row[name], kind) or isinstance(row[name], bool):
            raise InvalidEvent(f"not an event: {name} is a {type(row[name]).__name__}")
    return row


def _event(row: Any) -> Event:
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


def insert_rows(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Stores events that are not there yet, and counts those by the minute.

    Recorders do it one after the other (on SQLite every writer does): what one has stored, the next must see, or
    both would count it.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_RECORDERS_LOCK)))
    rows = list({row["id"]: row for row in rows}.values())
    known = set(connection.execute(select(events.c.id).where(events.c.id.in_([r["id"] for r in rows]))).scalars())
    new = [row for row in rows if row["id"] not in known]
    if not new:
        return
    connection.execute(ignoring_conflicts(insert_into(connection, events)), new)
    _count_by_minute(connection, new)


def _count_by_minute(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    counts: dict[tuple[Any, ...], list[int]] = collections.defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        minute = row["timestamp"].replace(second=0, microsecond=0)
        count = counts[(minute, row["category"], row["event_type"], row["event_status"] or "")]
        count[0] += 1
        took = row["processing_time_ms"]
        if took is not None:
            count[1] += 1
            count[2] += took
            count[3] = max(count[3], took)
    statement = insert_into(connection, event_minutes)
    assert isinstance(statement, postgresql.Insert | sqlite.Insert)
    new = statement.excluded
    longest = func.max if connection.dialect.name == "sqlite" else func.greatest
    statement = statement.on_conflict_do_update(
        index_elements=["minute", "category", "event_type", "event_status"],
        set_={
            "events": event_minutes.c.events + new.events,
            "timed": event_minutes.c.timed + new.timed,
            "total_ms": event_minutes.c.total_ms + new.total_ms,
            "longest_ms": longest(event_minutes.c.longest_ms, new.longest_ms),
        },
    )
    names = ("minute", "category", "event_type", "event_status", "events", "timed", "total_ms", "longest_ms")
    # In one order for everybody, so that two recorders never wait for each other's rows.
    connection.execute(
        statement, [dict(zip(names, (*key, *count), strict=True)) for key, count in sorted(counts.items())]
    )


def bury(connection: Connection, entry_id: str, reason: str, payload: str) -> None:
    """Keeps an entry that cannot be stored as an event."""
    connection.execute(
        ignoring_conflicts(insert_into(connection, dead_letters)).values(
            entry_id=entry_id,
            reason=reason[:500],
            payload=payload.replace("\x00", "\\0"),
            created_at=datetime.datetime.now(datetime.UTC),
        )
    )


def _like(pattern: str, dialect: str) -> ColumnElement[bool]:
    """A type's pattern with `*`; SQLite's LIKE would not tell `Tool` from `tool`."""
    if dialect == "sqlite":
        return events.c.event_type.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]").replace("?", "[?]"))
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return events.c.event_type.like(escaped.replace("*", "%"), escape="\\")


def _conditions(filters: Filters, dialect: str) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.event_types:
        exact = [t for t in filters.event_types if "*" not in t]
        patterns = [t for t in filters.event_types if "*" in t]
        found.append(or_(events.c.event_type.in_(exact), *(_like(t, dialect) for t in patterns)))
    if filters.statuses:
        found.append(events.c.event_status.in_(filters.statuses))
    if filters.categories:
        found.append(events.c.category.in_(filters.categories))
    if filters.priorities:
        found.append(events.c.priority.in_(filters.priorities))
    return found


def _of_session(session_id: str, upto: int | None) -> list[ColumnElement[bool]]:
    # Operators' events carry the session in their metadata only, so every row of the session has a seq.
    conditions: list[ColumnElement[bool]] = [events.c.session_id == session_id, events.c.seq.is_not(None)]
    return conditions if upto is None else [*conditions, events.c.id <= upto]


def session_events(
    store: Store, session_id: str, after: int, limit: int, filters: Filters = Filters(), upto: int | None = None
) -> list[Event]:
    """At most `limit` stored events of the session behind `after`, oldest first."""
    statement = (
        select(events)
        .where(*_of_session(session_id, upto), events.c.id > after, *_conditions(filters, store.dialect))
        .order_by(events.c.id)
        .limit(limit)
    )
    with store.read() as connection:
        return [_event(row) for row in connection.execute(statement)]


def latest_session_events(
    store: Store, session_id: str, count: int, filters: Filters = Filters(), upto: int | None = None
) -> list[Event]:
    """The newest `count` stored events of the session, oldest first."""
    statement = (
        select(events)
        .where(*_of_session(session_id, upto), *_conditions(filters, store.dialect))
        .order_by(events.c.id.desc())
        .limit(count)
    )
    with store.read() as connection:
        return [_event(row) for row in connection.execute(statement)][::-1]


def message_events(store: Store, message_id: str, limit: int) -> list[Event]:
    """At most `limit` stored events of the message's stages, oldest first."""
    statement = (
        select(events)
        .where(events.c.message_id == message_id, events.c.seq.is_not(None))
        .order_by(events.c.id)
        .limit(limit)
    )
    with store.read() as connection:
        return [_event(row) for row in connection.execute(statement)]


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

"""What operators look through, newest first, a page at a time: events, sessions, a session's runs."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from pipeline.event import Event
from pipeline.store.conversations import ASSISTANT, USER, Session, utc
from pipeline.store.engine import Store
from pipeline.store.events import Filters, conditions_of, event_of
from pipeline.store.models import events, messages, sessions


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which events are wanted; what is None or empty wants all. `text` is looked for in what users read."""

    filters: Filters = dataclasses.field(default_factory=Filters)
    session_id: str | None = None
    user_id: str | None = None
    message_id: str | None = None
    text: str | None = None
    from_id: int | None = None
    upto_id: int | None = None

    def found_by_index(self) -> list[ColumnElement[bool]]:
        """The conditions that an index serves, in SQL."""
        found = [
            events.c[name] == value
            for name in ("session_id", "user_id", "message_id")
            if (value := getattr(self, name)) is not None
        ]
        if self.from_id is not None:
            found.append(events.c.id >= self.from_id)
        if self.upto_id is not None:
            found.append(events.c.id <= self.upto_id)
        return found

    def looked_for(self, dialect: str) -> list[ColumnElement[bool]]:
        """The conditions for which each row must be looked at, in SQL."""
        found = conditions_of(self.filters, dialect)
        if self.text:
            found.append(events.c.user_message.icontains(self.text, autoescape=True))
        return found


def newest_events(
    store: Store, wanted: Wanted, before: int | None, limit: int, look_at: int
) -> tuple[list[Event], int | None]:
    """At most `limit` events before an id, newest first, and the id before which the next page lies (None: the end).

    At most `look_at` rows are looked at: there may be fewer events, or none, although others follow. Raises
    StoreUnavailable.
    """
    base, more = wanted.found_by_index(), wanted.looked_for(store.dialect)
    if before is not None:
        base.append(events.c.id < before)
    with store.read() as connection:
        lowest = None
        if more:
            # The place first: the database would go on looking until the page is full.
            place = select(events.c.id).where(*base).order_by(events.c.id.desc()).offset(look_at - 1).limit(1)
            lowest = connection.execute(place).scalar()
            if lowest is not None:
                base.append(events.c.id >= lowest)
        statement = select(events).where(*base, *more).order_by(events.c.id.desc()).limit(limit + 1)
        found = [event_of(row) for row in connection.execute(statement)]
    if len(found) > limit:
        return found[:limit], found[limit - 1].id
    return found, lowest


def events_of_run(store: Store, message_id: str, limit: int) -> list[Event]:
    """At most `limit` stored events of a message, those for operators too, oldest first. Raises StoreUnavailable."""
    statement = select(events).where(events.c.message_id == message_id).order_by(events.c.id).limit(limit)
    with store.read() as connection:
        return [event_of(row) for row in connection.execute(statement)]


@dataclasses.dataclass(frozen=True)
class SessionLine:
    """A session, with how many runs it has and how the last of them stands (None: it has none)."""

    session: Session
    runs: int
    last_status: str | None


def page_of_sessions(
    store: Store, part: str, before: tuple[datetime.datetime, str] | None, limit: int
) -> list[SessionLine]:
    """At most `limit` sessions, the last used one first, behind the one that was used then and has that id.

    `part` is looked for in the session's id, its owner and its user. Raises StoreUnavailable.
    """
    columns = sessions.c
    statement = select(*(columns[field.name] for field in dataclasses.fields(Session)))
    if part:
        named = (columns.session_id, columns.owner, columns.user_id)
        statement = statement.where(or_(*(column.icontains(part, autoescape=True) for column in named)))
    if before is not None:
        moment, session_id = before
        same = and_(columns.updated_at == moment, columns.session_id < session_id)
        statement = statement.where(or_(columns.updated_at < moment, same))
    statement = statement.order_by(columns.updated_at.desc(), columns.session_id.desc()).limit(limit)
    with store.read() as connection:
        found = [_session(row) for row in connection.execute(statement)]
        asked = [messages.c.role == USER, messages.c.session_id.in_([one.session_id for one in found])]
        last = select(messages.c.session_id, func.count(), func.max(messages.c.id)).where(*asked)
        runs = {row[0]: (row[1], row[2]) for row in connection.execute(last.group_by(messages.c.session_id))}
        newest = select(messages.c.id, messages.c.status).where(
            messages.c.id.in_([place for _, place in runs.values()])
        )
        status = {row[0]: row[1] for row in connection.execute(newest)}
    lines = [(one, *runs.get(one.session_id, (0, 0))) for one in found]
    return [SessionLine(one, count, status.get(place)) for one, count, place in lines]


def _session(row: Any) -> Session:
    values = row._asdict()
    return Session(**values | {name: utc(values[name]) for name in ("created_at", "updated_at")})


@dataclasses.dataclass(frozen=True)
class Run:
    """A message as a run, without what was said. `partial`: what had been said of its answer was kept."""

    id: int
    session_id: str
    message_id: str
    status: str
    reason: str | None
    language: str
    collection: str | None
    trace_id: str | None
    created_at: datetime.datetime
    updated_at: datetime.datetime
    partial: bool = False


_RUN_COLUMNS = [messages.c[field.name] for field in dataclasses.fields(Run) if field.name != "partial"]


def page_of_runs(store: Store, session_id: str, before: int | None, limit: int) -> list[Run]:
    """At most `limit` runs of the session, the newest first, before the one of that number. Raises StoreUnavailable."""
    conditions = [messages.c.session_id == session_id, messages.c.role == USER]
    if before is not None:
        conditions.append(messages.c.id < before)
    return _runs(store, conditions, limit)


def find_run(store: Store, message_id: str) -> Run | None:
    """The message as a run, None for an unknown one. Raises StoreUnavailable."""
    found = _runs(store, [messages.c.message_id == message_id, messages.c.role == USER], 1)
    return found[0] if found else None


def _runs(store: Store, conditions: Sequence[ColumnElement[bool]], limit: int) -> list[Run]:
    statement = select(*_RUN_COLUMNS).where(*conditions).order_by(messages.c.id.desc()).limit(limit)
    with store.read() as connection:
        rows = [row._asdict() for row in connection.execute(statement)]
        answers = select(messages.c.message_id).where(
            messages.c.role == ASSISTANT,
            messages.c.partial.is_(True),
            messages.c.message_id.in_([row["message_id"] for row in rows]),
        )
        partial = set(connection.execute(answers).scalars())
    return [
        Run(
            **row | {name: utc(row[name]) for name in ("created_at", "updated_at")},
            partial=row["message_id"] in partial,
        )
        for row in rows
    ]

"""Administrators: digests of their passwords, and the sessions in which they are logged in."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection

from sqlalchemy import delete, func, select, update

from pipeline.store.conversations import utc
from pipeline.store.dialects import ignoring_conflicts, insert_into, inserted
from pipeline.store.engine import Store
from pipeline.store.models import administrator_sessions as sessions
from pipeline.store.models import administrators


@dataclasses.dataclass(frozen=True)
class LoggedIn:
    """A session's row; times are UTC."""

    name: str
    created_at: datetime.datetime
    seen_at: datetime.datetime


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def add(store: Store, name: str, password: str) -> bool:
    """Adds an administrator with a digest of their password; False: there is one of that name."""
    now = _now()
    with store.write() as connection:
        statement = ignoring_conflicts(insert_into(connection, administrators))
        return inserted(connection, statement.values(name=name, password=password, created_at=now, changed_at=now))


def change_password(store: Store, name: str, password: str) -> bool:
    """Stores another digest and ends all sessions of the administrator; False: there is none of that name."""
    with store.write() as connection:
        changed = connection.execute(
            update(administrators).where(administrators.c.name == name).values(password=password, changed_at=_now())
        ).rowcount
        connection.execute(delete(sessions).where(sessions.c.name == name))
        return changed == 1


def password_of(store: Store, name: str) -> str | None:
    """The digest of an administrator's password, or None."""
    with store.read() as connection:
        found = connection.execute(select(administrators.c.password).where(administrators.c.name == name))
        value = found.scalar_one_or_none()
    return None if value is None else str(value)


def begin_session(store: Store, digest: str, name: str, ended_before: datetime.datetime) -> None:
    """Stores a session, and forgets those that were begun before `ended_before`."""
    now = _now()
    with store.write() as connection:
        connection.execute(delete(sessions).where(sessions.c.created_at < ended_before))
        connection.execute(sessions.insert().values(digest=digest, name=name, created_at=now, seen_at=now))


def find_session(store: Store, digest: str) -> LoggedIn | None:
    """The session, or None."""
    columns = (sessions.c.name, sessions.c.created_at, sessions.c.seen_at)
    with store.read() as connection:
        row = connection.execute(select(*columns).where(sessions.c.digest == digest)).first()
    return None if row is None else LoggedIn(row.name, utc(row.created_at), utc(row.seen_at))


def living_sessions(store: Store, beginnings: Collection[str]) -> frozenset[str]:
    """Those beginnings of digests, all of one length, that a session has."""
    lengths = {len(one) for one in beginnings}
    if not lengths:
        return frozenset()
    beginning = func.substr(sessions.c.digest, 1, lengths.pop())
    with store.read() as connection:
        return frozenset(connection.execute(select(beginning).where(beginning.in_(beginnings))).scalars())


def note_seen(store: Store, digest: str) -> None:
    """Notes that the session was used just now."""
    with store.write() as connection:
        connection.execute(update(sessions).where(sessions.c.digest == digest).values(seen_at=_now()))


def end_session(store: Store, digest: str) -> None:
    """Forgets a session."""
    with store.write() as connection:
        connection.execute(delete(sessions).where(sessions.c.digest == digest))

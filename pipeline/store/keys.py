"""API keys: made, rotated, revoked, listed. Only a digest of a key is stored, never the key."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.errors import KeyRefused, StoreUnavailable
from pipeline.store.conversations import utc
from pipeline.store.engine import Store
from pipeline.store.models import api_keys

_TRIES = 10
_LISTED = 10_000
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class ApiKey:
    """A key's row. `family` is the `key_id` of the key that it was rotated from, over all rotations; times are UTC."""

    key_id: str
    family: str
    digest: str
    name: str
    scopes: str
    user_id: str | None
    created_by: str
    created_at: datetime.datetime
    expires_at: datetime.datetime | None
    revoked_at: datetime.datetime | None = None
    last_used_at: datetime.datetime | None = None

    def lives_at(self, moment: datetime.datetime) -> bool:
        """Whether the key opens anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


_COLUMNS = [api_keys.c[f.name] for f in dataclasses.fields(ApiKey)]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _key(row: Any) -> ApiKey:
    values: dict[str, Any] = {
        name: utc(value) if isinstance(value, datetime.datetime) else value for name, value in row._asdict().items()
    }
    return ApiKey(**values)


def version(store: Store) -> int:
    """A number that grows with every change of what keys open; cheap to ask."""
    with store.read() as connection:
        return _version(connection)


def _version(connection: Connection) -> int:
    return int(connection.execute(select(func.max(api_keys.c.version))).scalar_one() or 0)


def living(store: Store) -> tuple[int, list[ApiKey]]:
    """Every key that is not revoked and has not expired, and the version that this was true of."""
    with store.read() as connection:
        # First: what is changed in between makes the version look old, and is asked for again.
        found = _version(connection)
        rows = connection.execute(select(*_COLUMNS).where(_lives()))
        return found, [_key(row) for row in rows]


def _lives() -> Any:
    return api_keys.c.revoked_at.is_(None) & or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > _now())


def listed(store: Store) -> list[ApiKey]:
    """The newest 10,000 keys, also those that open nothing any more, newest first."""
    statement = select(*_COLUMNS).order_by(api_keys.c.created_at.desc(), api_keys.c.key_id).limit(_LISTED)
    with store.read() as connection:
        return [_key(row) for row in connection.execute(statement)]


def find(store: Store, key_id: str) -> ApiKey | None:
    """The key, or None."""
    with store.read() as connection:
        row = connection.execute(select(*_COLUMNS).where(api_keys.c.key_id == key_id)).first()
    return None if row is None else _key(row)


def _changing(store: Store, change: Callable[[Connection, int], T]) -> T:
    """Runs a change with the next version; two of them never take the same one, so no reader misses one."""
    for _ in range(_TRIES):
        try:
            with store.write() as connection:
                return change(connection, _version(connection) + 1)
        except IntegrityError:
            # Another process has taken this version, or (one in 62^8) the id of the new key.
            continue
    raise StoreUnavailable("the keys are being changed by too many at once")


def add(store: Store, key: ApiKey, limit: int) -> None:
    """Stores a new key. Raises KeyRefused when `limit` keys live already."""

    def change(connection: Connection, number: int) -> None:
        living_now = connection.execute(select(func.count()).select_from(api_keys).where(_lives())).scalar_one()
        if living_now >= limit:
            raise KeyRefused(f"there are {limit} living keys already; revoke one first")
        connection.execute(api_keys.insert().values(**dataclasses.asdict(key), version=number))

    _changing(store, change)


def rotate(store: Store, key_id: str, new: ApiKey, overlap: datetime.timedelta) -> None:
    """Stores `new` in place of a living key, which goes on for `overlap`; of one family two keys live at most.

    Raises KeyRefused for a key that does not live, or has been rotated already.
    """

    def change(connection: Connection, number: int) -> None:
        now = _now()
        family = connection.execute(select(*_COLUMNS).where(api_keys.c.family == new.family, _lives())).all()
        alive = sorted((_key(row) for row in family), key=lambda key: key.created_at)
        if not alive or alive[-1].key_id != key_id:
            raise KeyRefused("only the newest key of its line, and one that lives, can be rotated")
        for place, old in enumerate(alive):
            end = now if old.key_id != key_id else min(now + overlap, old.expires_at or now + overlap)
            values: dict[str, Any] = {"expires_at": end, "version": number + place}
            connection.execute(update(api_keys).where(api_keys.c.key_id == old.key_id).values(**values))
        connection.execute(api_keys.insert().values(**dataclasses.asdict(new), version=number + len(alive)))

    _changing(store, change)


def revoke(store: Store, key_id: str) -> bool:
    """Makes a key open nothing any more; saying it twice changes nothing. False: there is no such key."""

    def change(connection: Connection, number: int) -> bool:
        revoked = connection.execute(
            update(api_keys)
            .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=_now(), version=number)
        ).rowcount
        known = select(func.count()).select_from(api_keys).where(api_keys.c.key_id == key_id)
        return bool(revoked) or bool(connection.execute(known).scalar_one())

    return _changing(store, change)


def note_use(store: Store, used: dict[str, datetime.datetime]) -> None:
    """Notes when keys were used last; a later time that stands there stays."""
    with store.write() as connection:
        for key_id, moment in used.items():
            earlier = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < moment)
            connection.execute(update(api_keys).where(api_keys.c.key_id == key_id, earlier).values(last_used_at=moment))

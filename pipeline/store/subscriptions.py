"""Stored subscriptions: who is to be told of which events, and where."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from pipeline.store.conversations import utc
from pipeline.store.engine import Store
from pipeline.store.models import administrators, api_keys, subscriptions

_READING = frozenset({"events:read", "admin"})
_OF_ADMINISTRATORS = "admin:"


@dataclasses.dataclass(frozen=True)
class Subscription:
    """A subscription as it is kept. Times are UTC.

    `sees` is what its owner may see: `operator` everything that is shown live, `application` what users see, `user`
    what the user `user_id` sees. Else `user_id` and `session_id` only narrow what is wanted. `target` is a URL or an
    e-mail address. `since_id` is the log's newest id when it was made. `failures` counts failed attempts in a row;
    until `open_until` nothing is tried. `dropped` counts events for which there was no place.
    """

    subscription_id: str
    owner: str
    sees: str
    key_family: str | None
    name: str
    channel: str
    target: str
    event_types: list[str]
    categories: list[str]
    priorities: list[str]
    session_id: str | None
    user_id: str | None
    enabled: bool
    secret_version: int
    since_id: int
    created_at: datetime.datetime
    updated_at: datetime.datetime
    failures: int = 0
    open_until: datetime.datetime | None = None
    dropped: int = 0

    def is_open_at(self, moment: datetime.datetime) -> bool:
        """Whether its receiver is left alone for now."""
        return self.open_until is not None and moment < self.open_until


_COLUMNS = [subscriptions.c[field.name] for field in dataclasses.fields(Subscription)]


def _subscription(row: Row[Any]) -> Subscription:
    fields = row._asdict()
    for name in ("created_at", "updated_at", "open_until"):
        fields[name] = None if fields[name] is None else utc(fields[name])
    return Subscription(**fields)


def add(store: Store, made: Subscription, limit: int, owner_limit: int) -> bool:
    """Keeps a subscription; False when there are too many, of its owner or of all. Raises StoreUnavailable."""
    with store.write() as connection:
        count = select(func.count()).select_from(subscriptions)
        if connection.execute(count).scalar_one() >= limit:
            return False
        if connection.execute(count.where(subscriptions.c.owner == made.owner)).scalar_one() >= owner_limit:
            return False
        connection.execute(insert(subscriptions).values(**dataclasses.asdict(made)))
        return True


def find(store: Store, subscription_id: str) -> Subscription | None:
    """A subscription, None when there is none of this id. Raises StoreUnavailable."""
    with store.read() as connection:
        statement = select(*_COLUMNS).where(subscriptions.c.subscription_id == subscription_id)
        row = connection.execute(statement).one_or_none()
    return None if row is None else _subscription(row)


def listed(store: Store, owner: str | None = None) -> list[Subscription]:
    """All subscriptions, or those of one owner, the newest first. Raises StoreUnavailable."""
    statement = select(*_COLUMNS).order_by(subscriptions.c.created_at.desc(), subscriptions.c.subscription_id)
    if owner is not None:
        statement = statement.where(subscriptions.c.owner == owner)
    with store.read() as connection:
        return [_subscription(row) for row in connection.execute(statement)]


def change(store: Store, subscription_id: str, **values: Any) -> bool:
    """Changes columns of a subscription; False when there is none of this id. Raises StoreUnavailable."""
    values["updated_at"] = datetime.datetime.now(datetime.UTC)
    with store.write() as connection:
        statement = update(subscriptions).where(subscriptions.c.subscription_id == subscription_id)
        return connection.execute(statement.values(**values)).rowcount == 1


def remove(store: Store, subscription_id: str) -> bool:
    """Takes a subscription and its deliveries away; False when there is none of this id. Raises StoreUnavailable."""
    with store.write() as connection:
        found = connection.execute(delete(subscriptions).where(subscriptions.c.subscription_id == subscription_id))
        return found.rowcount == 1


def living(store: Store, subscription_id: str | None = None) -> list[Subscription]:
    """The subscriptions that are turned on and whose owners may still see what they saw when they made them.

    With an id: that one, or none. Raises StoreUnavailable.
    """
    statement = select(*_COLUMNS).where(subscriptions.c.enabled)
    if subscription_id is not None:
        statement = statement.where(subscriptions.c.subscription_id == subscription_id)
    with store.read() as connection:
        found = [_subscription(row) for row in connection.execute(statement)]
        scopes = _scopes(connection, [one.key_family for one in found if one.key_family is not None])
        names = _administrators(connection, [one.owner for one in found if one.owner.startswith(_OF_ADMINISTRATORS)])
    return [one for one in found if _may_see(one, scopes, names)]


def _may_see(one: Subscription, scopes: dict[str, set[str]], names: set[str]) -> bool:
    if one.owner.startswith(_OF_ADMINISTRATORS):
        return one.owner in names
    if one.key_family is None:
        return True
    given = scopes.get(one.key_family, set())
    return "admin" in given if one.sees == "operator" else bool(given & _READING)


def _scopes(connection: Connection, families: Sequence[str]) -> dict[str, set[str]]:
    """The scopes of the keys that live, by the key that they were first rotated from."""
    if not families:
        return {}
    columns, now = api_keys.c, datetime.datetime.now(datetime.UTC)
    statement = select(columns.family, columns.scopes).where(
        columns.family.in_(sorted(set(families))),
        columns.revoked_at.is_(None),
        or_(columns.expires_at.is_(None), columns.expires_at > now),
    )
    found: dict[str, set[str]] = {}
    for family, scopes in connection.execute(statement):
        found.setdefault(family, set()).update(scopes.split())
    return found


def _administrators(connection: Connection, owners: Sequence[str]) -> set[str]:
    if not owners:
        return set()
    names = sorted({owner.removeprefix(_OF_ADMINISTRATORS) for owner in owners})
    statement = select(administrators.c.name).where(administrators.c.name.in_(names))
    return {f"{_OF_ADMINISTRATORS}{name}" for name in connection.execute(statement).scalars()}

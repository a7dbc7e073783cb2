"""Deliveries: the events that wait for subscribers, what became of each, and who is at work on them."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from pipeline.store.conversations import utc
from pipeline.store.dialects import ignoring_conflicts, insert_into
from pipeline.store.engine import Store
from pipeline.store.models import deliveries, subscriptions

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
STATUSES = (PENDING, DELIVERED, DEAD)
_ERROR_CHARACTERS = 200


@dataclasses.dataclass(frozen=True)
class Draft:
    """An event that is to be delivered to a subscriber from `due_at` on."""

    subscription_id: str
    event_id: int
    event_type: str
    due_at: datetime.datetime
    payload: bytes


@dataclasses.dataclass(frozen=True)
class Delivery:
    """A delivery as it stands. `attempts`, `http_status`, `latency_ms` and `error` tell of the last attempt."""

    id: int
    event_id: int
    event_type: str
    status: str
    attempts: int
    due_at: datetime.datetime
    created_at: datetime.datetime
    tried_at: datetime.datetime | None
    http_status: int | None
    latency_ms: int | None
    error: str | None


@dataclasses.dataclass(frozen=True)
class Work:
    """What is to be delivered now."""

    id: int
    event_id: int
    attempts: int
    payload: bytes


@dataclasses.dataclass(frozen=True)
class Attempt:
    """How an attempt went; `due_at` is when the next one is, None when there is none."""

    status: str
    attempts: int
    due_at: datetime.datetime | None = None
    http_status: int | None = None
    latency_ms: int | None = None
    error: str | None = None


_SHOWN = [deliveries.c[field.name] for field in dataclasses.fields(Delivery)]


def queue(store: Store, drafts: Sequence[Draft], pending_limit: int) -> int:
    """Keeps what is to be delivered, each event once for a subscriber; how many are new. Raises StoreUnavailable.

    For a subscriber who has `pending_limit` waiting already, further events are counted as dropped.
    """
    by_subscriber: dict[str, list[Draft]] = collections.defaultdict(list)
    for draft in drafts:
        by_subscriber[draft.subscription_id].append(draft)
    now, new = datetime.datetime.now(datetime.UTC), 0
    with store.write() as connection:
        for subscription_id, wanted in by_subscriber.items():
            known = select(subscriptions.c.subscription_id).where(subscriptions.c.subscription_id == subscription_id)
            if connection.execute(known.with_for_update()).first() is None:
                continue
            room = pending_limit - _pending(connection, subscription_id)
            new += _add(connection, wanted[: max(0, room)], now)
            if len(wanted) > max(0, room):
                more = subscriptions.c.dropped + len(wanted) - max(0, room)
                rows = update(subscriptions).where(subscriptions.c.subscription_id == subscription_id)
                connection.execute(rows.values(dropped=more))
    return new


def _pending(connection: Connection, subscription_id: str) -> int:
    columns = deliveries.c
    where = and_(columns.subscription_id == subscription_id, columns.status == PENDING)
    return int(connection.execute(select(func.count()).select_from(deliveries).where(where)).scalar_one())


def _add(connection: Connection, drafts: Sequence[Draft], now: datetime.datetime) -> int:
    rows = [{**vars(draft), "status": PENDING, "attempts": 0, "created_at": now} for draft in drafts]
    if not rows:
        return 0
    statement = ignoring_conflicts(insert_into(connection, deliveries)).values(rows)
    # Without the option SQLAlchemy does not ask PostgreSQL's driver for the count of an INSERT.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def due(store: Store, limit: int, sent_seconds: float) -> list[str]:
    """The subscriptions for which something can be done now, nobody does it and nobody was sent for it.

    The caller sends for them: for `sent_seconds`, or until they were served, nobody else does. Raises StoreUnavailable.
    """
    now = datetime.datetime.now(datetime.UTC)
    waits = exists().where(
        deliveries.c.subscription_id == subscriptions.c.subscription_id,
        deliveries.c.status == PENDING,
        deliveries.c.due_at <= now,
    )
    columns = subscriptions.c
    free = (_passed(columns[name], now) for name in ("open_until", "lease_until", "sent_until"))
    statement = select(columns.subscription_id).where(columns.enabled, *free, waits)
    with store.read() as connection:
        found = list(connection.execute(statement.limit(limit)).scalars())
    if not found:
        return []
    until = now + datetime.timedelta(seconds=sent_seconds)
    with store.write() as connection:
        return [one for one in found if _noted_sent(connection, one, now, until)]


def _noted_sent(connection: Connection, subscription_id: str, now: datetime.datetime, until: datetime.datetime) -> bool:
    columns = subscriptions.c
    mine = update(subscriptions).where(columns.subscription_id == subscription_id, _passed(columns.sent_until, now))
    return connection.execute(mine.values(sent_until=until)).rowcount == 1


def _passed(column: ColumnElement[Any], now: datetime.datetime) -> ColumnElement[bool]:
    return or_(column.is_(None), column <= now)


def take(store: Store, subscription_id: str, token: str, seconds: float) -> bool:
    """Takes a subscription's deliveries for so long; False when somebody else has them. Raises StoreUnavailable."""
    now = datetime.datetime.now(datetime.UTC)
    columns = subscriptions.c
    statement = update(subscriptions).where(
        columns.subscription_id == subscription_id,
        columns.enabled,
        _passed(columns.lease_until, now),
    )
    with store.write() as connection:
        until = now + datetime.timedelta(seconds=seconds)
        return connection.execute(statement.values(lease=token, lease_until=until, sent_until=None)).rowcount == 1


def give_back(store: Store, subscription_id: str, token: str) -> None:
    """Lets others take the subscription's deliveries. Raises StoreUnavailable."""
    columns = subscriptions.c
    statement = update(subscriptions).where(columns.subscription_id == subscription_id, columns.lease == token)
    with store.write() as connection:
        connection.execute(statement.values(lease=None, lease_until=None))


def waiting(store: Store, subscription_id: str, limit: int) -> list[Work]:
    """What is due now, the longest due first. Raises StoreUnavailable."""
    columns = deliveries.c
    statement = (
        select(columns.id, columns.event_id, columns.attempts, columns.payload)
        .where(
            columns.subscription_id == subscription_id,
            columns.status == PENDING,
            columns.due_at <= datetime.datetime.now(datetime.UTC),
        )
        .order_by(columns.due_at, columns.id)
        .limit(limit)
    )
    with store.read() as connection:
        return [Work(row.id, row.event_id, row.attempts, row.payload or b"") for row in connection.execute(statement)]


def settle(
    store: Store,
    subscription_id: str,
    attempts: Sequence[tuple[int, Attempt]],
    failures: int,
    open_until: datetime.datetime | None,
    lease_seconds: float,
) -> None:
    """Notes how attempts went, by delivery, and how the subscription stands then. Raises StoreUnavailable.

    What was delivered keeps no payload. The caller keeps the subscription for so long.
    """
    now = datetime.datetime.now(datetime.UTC)
    with store.write() as connection:
        for delivery_id, made in attempts:
            values: dict[str, object] = {
                "status": made.status,
                "attempts": made.attempts,
                "tried_at": now,
                "http_status": made.http_status,
                "latency_ms": made.latency_ms,
                "error": None if made.error is None else made.error[:_ERROR_CHARACTERS],
            }
            if made.due_at is not None:
                values["due_at"] = made.due_at
            if made.status == DELIVERED:
                values["payload"] = None
            connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(**values))
        rows = update(subscriptions).where(subscriptions.c.subscription_id == subscription_id)
        lease_until = now + datetime.timedelta(seconds=lease_seconds)
        connection.execute(rows.values(failures=failures, open_until=open_until, lease_until=lease_until))


def give_up(store: Store, subscription_id: str, error: str) -> int:
    """Makes dead letters of all that waits for a subscriber; how many. Raises StoreUnavailable."""
    columns = deliveries.c
    statement = update(deliveries).where(columns.subscription_id == subscription_id, columns.status == PENDING)
    with store.write() as connection:
        return connection.execute(statement.values(status=DEAD, error=error[:_ERROR_CHARACTERS])).rowcount


def again(store: Store, subscription_id: str, delivery_id: int | None = None) -> int:
    """Lets one dead letter, or all of a subscription, be tried anew; how many. Raises StoreUnavailable."""
    columns = deliveries.c
    statement = update(deliveries).where(columns.subscription_id == subscription_id, columns.status == DEAD)
    if delivery_id is not None:
        statement = statement.where(columns.id == delivery_id)
    now = datetime.datetime.now(datetime.UTC)
    with store.write() as connection:
        return connection.execute(statement.values(status=PENDING, attempts=0, due_at=now)).rowcount


def page(
    store: Store, subscription_id: str, limit: int, before: int | None = None, status: str | None = None
) -> list[Delivery]:
    """Deliveries of a subscription, the newest first, those before an id. Raises StoreUnavailable."""
    columns = deliveries.c
    statement = select(*_SHOWN).where(columns.subscription_id == subscription_id).order_by(columns.id.desc())
    if before is not None:
        statement = statement.where(columns.id < before)
    if status is not None:
        statement = statement.where(columns.status == status)
    with store.read() as connection:
        rows = connection.execute(statement.limit(limit)).all()
    found = []
    for row in rows:
        times = {name: utc(getattr(row, name)) for name in ("due_at", "created_at")}
        tried_at = None if row.tried_at is None else utc(row.tried_at)
        found.append(Delivery(**{**row._asdict(), **times, "tried_at": tried_at}))
    return found


def counts(store: Store, subscription_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many deliveries there are by status, for each of these subscriptions. Raises StoreUnavailable."""
    columns = deliveries.c
    statement = (
        select(columns.subscription_id, columns.status, func.count())
        .where(columns.subscription_id.in_(list(subscription_ids)))
        .group_by(columns.subscription_id, columns.status)
    )
    found = {one: dict.fromkeys(STATUSES, 0) for one in subscription_ids}
    with store.read() as connection:
        for subscription_id, status, count in connection.execute(statement):
            found[subscription_id][status] = count
    return found


def forget_before(store: Store, moment: datetime.datetime) -> int:
    """Deletes the deliveries that were queued before `moment`, also what still waits. Raises StoreUnavailable."""
    with store.write() as connection:
        return connection.execute(delete(deliveries).where(deliveries.c.created_at < moment)).rowcount

"""Alerts: rules as they are kept, the history of what they raised, and silences."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, delete, func, insert, or_, select, update

from pipeline.store.conversations import utc
from pipeline.store.engine import Store
from pipeline.store.models import alert_rules, alert_silences, alerts

PENDING, FIRING, RESOLVED = "pending", "firing", "resolved"
STATUSES = (PENDING, FIRING, RESOLVED)
_TIMES = {"since", "fired_at", "resolved_at", "created_at", "updated_at", "until"}


@dataclasses.dataclass(frozen=True)
class StoredRule:
    """A rule that was made over HTTP; `definition` is as it was given."""

    name: str
    definition: dict[str, Any]
    made_by: str
    created_at: datetime.datetime
    updated_at: datetime.datetime


@dataclasses.dataclass(frozen=True)
class Alert:
    """One time that a rule's condition held. `since` when it began; `fired_at` when it had held for long enough.

    `value` is the last one, or the one at which it fired once it has. `told` says whether it was told by an event.
    """

    id: int
    rule: str
    status: str
    severity: str
    value: float
    threshold: float
    told: bool
    since: datetime.datetime
    fired_at: datetime.datetime | None
    resolved_at: datetime.datetime | None


@dataclasses.dataclass(frozen=True)
class Silence:
    """Alerts of rules whose names fit `rule` (with `*`) are not told until then."""

    id: int
    rule: str
    reason: str
    made_by: str
    created_at: datetime.datetime
    until: datetime.datetime


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {name: utc(v) if name in _TIMES and v is not None else v for name, v in row._asdict().items()}


# Rules


def save_rule(store: Store, name: str, definition: Mapping[str, Any], made_by: str, limit: int) -> bool | None:
    """Keeps a rule, in the place of one of the same name; whether it is new. None when there are `limit` already.

    Raises StoreUnavailable.
    """
    now = datetime.datetime.now(datetime.UTC)
    with store.write() as connection:
        kept = {"definition": dict(definition), "made_by": made_by, "updated_at": now}
        if connection.execute(update(alert_rules).where(alert_rules.c.name == name).values(**kept)).rowcount:
            return False
        if connection.execute(select(func.count()).select_from(alert_rules)).scalar_one() >= limit:
            return None
        connection.execute(insert(alert_rules).values(name=name, created_at=now, **kept))
        return True


def remove_rule(store: Store, name: str) -> bool:
    """Takes a rule away; False when there is none of this name. Raises StoreUnavailable."""
    with store.write() as connection:
        return connection.execute(delete(alert_rules).where(alert_rules.c.name == name)).rowcount == 1


def rules(store: Store) -> list[StoredRule]:
    """All rules, by name. Raises StoreUnavailable."""
    with store.read() as connection:
        rows = connection.execute(select(alert_rules).order_by(alert_rules.c.name)).all()
    return [StoredRule(**_fields(row)) for row in rows]


# Alerts


def begin(store: Store, rule: str, severity: str, value: float, threshold: float) -> Alert:
    """A rule's condition holds now, and did not before: the alert is pending. Raises StoreUnavailable."""
    now = datetime.datetime.now(datetime.UTC)
    values: dict[str, Any] = {
        "rule": rule,
        "status": PENDING,
        "severity": severity,
        "value": value,
        "threshold": threshold,
        "told": False,
        "since": now,
        "fired_at": None,
        "resolved_at": None,
    }
    with store.write() as connection:
        made = connection.execute(insert(alerts).values(**values).returning(alerts.c.id)).scalar_one()
    return Alert(id=made, **values)


def change(store: Store, alert_id: int, **values: Any) -> None:
    """Changes columns of an alert. Raises StoreUnavailable."""
    with store.write() as connection:
        connection.execute(update(alerts).where(alerts.c.id == alert_id).values(**values))


def forget(store: Store, alert_id: int) -> None:
    """Takes away an alert that has not held for long enough. Raises StoreUnavailable."""
    with store.write() as connection:
        connection.execute(delete(alerts).where(alerts.c.id == alert_id))


def standing(store: Store) -> dict[str, Alert]:
    """What is pending or firing now, by rule. Raises StoreUnavailable."""
    statement = select(alerts).where(or_(alerts.c.status == PENDING, alerts.c.status == FIRING)).order_by(alerts.c.id)
    with store.read() as connection:
        return {row.rule: Alert(**_fields(row)) for row in connection.execute(statement)}


def page(
    store: Store, limit: int, before: int | None = None, status: str | None = None, rule: str | None = None
) -> list[Alert]:
    """The history, the newest first, those before an id. Raises StoreUnavailable."""
    columns = alerts.c
    statement = select(alerts).order_by(columns.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(columns.id < before)
    if status is not None:
        statement = statement.where(columns.status == status)
    if rule is not None:
        statement = statement.where(columns.rule == rule)
    with store.read() as connection:
        return [Alert(**_fields(row)) for row in connection.execute(statement)]


def forget_before(store: Store, moment: datetime.datetime) -> None:
    """Deletes alerts that were resolved, and silences that were over, before `moment`. Raises StoreUnavailable."""
    with store.write() as connection:
        connection.execute(delete(alerts).where(alerts.c.resolved_at < moment))
        connection.execute(delete(alert_silences).where(alert_silences.c.until < moment))


# Silences


def silence(store: Store, rule: str, until: datetime.datetime, reason: str, made_by: str, limit: int) -> int | None:
    """Makes a silence and gives its number; None when there are `limit` already. Raises StoreUnavailable."""
    now = datetime.datetime.now(datetime.UTC)
    with store.write() as connection:
        current = select(func.count()).select_from(alert_silences).where(alert_silences.c.until > now)
        if connection.execute(current).scalar_one() >= limit:
            return None
        values = {"rule": rule, "reason": reason, "made_by": made_by, "created_at": now, "until": until}
        made = connection.execute(insert(alert_silences).values(**values).returning(alert_silences.c.id))
        return int(made.scalar_one())


def silences(store: Store) -> list[Silence]:
    """The silences that are not over, those that end first before the others. Raises StoreUnavailable."""
    now = datetime.datetime.now(datetime.UTC)
    statement = select(alert_silences).where(alert_silences.c.until > now).order_by(alert_silences.c.until)
    with store.read() as connection:
        return [Silence(**_fields(row)) for row in connection.execute(statement)]


def end_silence(store: Store, silence_id: int) -> bool:
    """Ends a silence; False when there is none of this number. Raises StoreUnavailable."""
    with store.write() as connection:
        return connection.execute(delete(alert_silences).where(alert_silences.c.id == silence_id)).rowcount == 1

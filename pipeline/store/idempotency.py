"""Idempotency keys: the same key with the same request names the message that the first one made."""

from __future__ import annotations

import dataclasses
import datetime

from sqlalchemy import Connection, delete, select

from pipeline.errors import IdempotencyMismatch
from pipeline.store.dialects import ignoring_conflicts, insert_into, inserted
from pipeline.store.engine import Store
from pipeline.store.models import idempotency_keys


@dataclasses.dataclass(frozen=True)
class IdempotencyKey:
    """A key as its principal sent it, with a fingerprint (hex SHA-256) of the request that it stands for."""

    principal: str
    key: str
    fingerprint: str


def claim(connection: Connection, given: IdempotencyKey, session_id: str, message_id: str) -> tuple[str, str] | None:
    """Takes the key for a message; when it was taken, the session and message that it stands for.

    Raises IdempotencyMismatch when it stands for another request.
    """
    statement = ignoring_conflicts(insert_into(connection, idempotency_keys)).values(
        principal=given.principal,
        key=given.key,
        fingerprint=given.fingerprint,
        session_id=session_id,
        message_id=message_id,
        created_at=datetime.datetime.now(datetime.UTC),
    )
    if inserted(connection, statement):
        return None
    taken = connection.execute(
        select(idempotency_keys).where(
            idempotency_keys.c.principal == given.principal, idempotency_keys.c.key == given.key
        )
    ).one()
    if taken.fingerprint != given.fingerprint:
        raise IdempotencyMismatch
    return str(taken.session_id), str(taken.message_id)


def forget_before(store: Store, moment: datetime.datetime) -> int:
    """Forgets keys that were first used before `moment`. Returns how many."""
    with store.write() as connection:
        return connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < moment)).rowcount

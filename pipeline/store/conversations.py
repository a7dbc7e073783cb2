"""Sessions and their messages."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from pipeline.errors import TooManyInFlight
from pipeline.store import idempotency
from pipeline.store.dialects import ignoring_conflicts, insert_into, inserted
from pipeline.store.engine import Store
from pipeline.store.idempotency import IdempotencyKey
from pipeline.store.models import message_feedback, messages, sessions

USER = "user"
ASSISTANT = "assistant"
_VIEW_LIMIT = 1_000


@dataclasses.dataclass(frozen=True)
class Session:
    """A chat session's row."""

    session_id: str
    owner: str
    user_id: str | None
    language: str
    created_at: datetime.datetime
    updated_at: datetime.datetime


@dataclasses.dataclass(frozen=True)
class Message:
    """A message's row; `role` is `user` or `assistant`, and both of one exchange share `message_id`."""

    id: int
    session_id: str
    message_id: str
    role: str
    status: str
    reason: str | None
    language: str
    collection: str | None
    content: str
    partial: bool
    answer: dict[str, Any] | None
    metadata: dict[str, Any] | None
    trace_id: str | None
    created_at: datetime.datetime


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def utc(moment: datetime.datetime) -> datetime.datetime:
    """`moment` in UTC; SQLite gives back naive times, which are UTC here."""
    return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)


_MESSAGE_COLUMNS = [messages.c[f.name] for f in dataclasses.fields(Message)]
_SESSION_COLUMNS = [sessions.c[f.name] for f in dataclasses.fields(Session)]
# What every feed asks when it is opened is made once: making it costs more than the answer (measured).
_FIND_SESSION = select(*_SESSION_COLUMNS).where(sessions.c.session_id == bindparam("session_id"))
_UNFINISHED = (
    select(messages.c.message_id)
    .where(messages.c.session_id == bindparam("session_id"), messages.c.role == USER, messages.c.status == "accepted")
    .order_by(messages.c.id.desc())
    .limit(bindparam("limit"))
)


def _message(row: Any) -> Message:
    values = row._asdict()
    values["created_at"] = utc(values["created_at"])
    return Message(**values)


def find_session(store: Store, session_id: str) -> Session | None:
    """The session, or None."""
    with store.read() as connection:
        row = connection.execute(_FIND_SESSION, {"session_id": session_id}).first()
    if row is None:
        return None
    values = row._asdict()
    values["created_at"], values["updated_at"] = utc(values["created_at"]), utc(values["updated_at"])
    return Session(**values)


def open_session(store: Store, session_id: str, owner: str, user_id: str | None, language: str) -> bool:
    """Makes the session where it is missing; False when it was there."""
    now = _now()
    with store.write() as connection:
        statement = ignoring_conflicts(insert_into(connection, sessions)).values(
            session_id=session_id, owner=owner, user_id=user_id, language=language, created_at=now, updated_at=now
        )
        return inserted(connection, statement)


def accept_message(
    store: Store,
    *,
    session_id: str,
    message_id: str,
    content: str,
    language: str,
    owner: str,
    user_id: str | None,
    collection: str | None,
    metadata: dict[str, Any] | None,
    trace_id: str | None,
    key: IdempotencyKey | None = None,
    in_flight_limit: int | None = None,
) -> tuple[str, str] | None:
    """Stores a user's message, with its session where that is missing. Now it is accepted.

    Raises TooManyInFlight when so many of the session's messages have no ending yet.

    With a key that was used before nothing is stored: the session and message that it stands for are given. Raises
    IdempotencyMismatch when it stands for another request.
    """
    now = _now()
    with store.write() as connection:
        if key is not None:
            before = idempotency.claim(connection, key, session_id, message_id)
            if before is not None:
                return before
        connection.execute(
            ignoring_conflicts(insert_into(connection, sessions)).values(
                session_id=session_id, owner=owner, user_id=user_id, language=language, created_at=now, updated_at=now
            )
        )
        # First: from here on others who send in this session wait until this message counts.
        connection.execute(update(sessions).where(sessions.c.session_id == session_id).values(updated_at=now))
        if in_flight_limit is not None and _in_flight(connection, session_id) >= in_flight_limit:
            raise TooManyInFlight
        connection.execute(
            messages.insert().values(
                session_id=session_id,
                message_id=message_id,
                role=USER,
                status="accepted",
                language=language,
                collection=collection,
                content=content,
                metadata=metadata,
                trace_id=trace_id,
                created_at=now,
                updated_at=now,
            )
        )
        return None


def _in_flight(connection: Connection, session_id: str) -> int:
    waiting = select(func.count()).select_from(messages)
    waiting = waiting.where(
        messages.c.session_id == session_id, messages.c.role == USER, messages.c.status == "accepted"
    )
    return int(connection.execute(waiting).scalar_one())


def find_message(store: Store, message_id: str, role: str = USER) -> Message | None:
    """The message, or None."""
    statement = select(*_MESSAGE_COLUMNS).where(messages.c.message_id == message_id, messages.c.role == role)
    with store.read() as connection:
        row = connection.execute(statement).first()
    return None if row is None else _message(row)


def history(store: Store, session_id: str, before_message_id: str, limit: int) -> list[Message]:
    """The newest `limit` finished messages of the session before the given one, oldest first."""
    before = (
        select(messages.c.id)
        .where(messages.c.message_id == before_message_id, messages.c.role == USER)
        .scalar_subquery()
    )
    statement = (
        select(*_MESSAGE_COLUMNS)
        .where(
            messages.c.session_id == session_id,
            messages.c.id < before,
            messages.c.status == "completed",
        )
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    with store.read() as connection:
        rows = connection.execute(statement).all()
    return [_message(row) for row in reversed(rows)]


def has_history(store: Store, session_id: str, before_message_id: str) -> bool:
    """Whether the session has a finished message before the given one."""
    return bool(history(store, session_id, before_message_id, 1))


def conversation(store: Store, session_id: str) -> list[Message]:
    """The session's newest messages (at most 1,000), oldest first."""
    statement = (
        select(*_MESSAGE_COLUMNS)
        .where(messages.c.session_id == session_id)
        .order_by(messages.c.id.desc())
        .limit(_VIEW_LIMIT)
    )
    with store.read() as connection:
        rows = connection.execute(statement).all()
    return [_message(row) for row in reversed(rows)]


def count_messages(store: Store, session_id: str) -> int:
    """How many messages the session has."""
    statement = select(func.count()).select_from(messages).where(messages.c.session_id == session_id)
    with store.read() as connection:
        return int(connection.execute(statement).scalar_one())


def save_answer(
    store: Store, *, message_id: str, content: str, answer: dict[str, Any], confidence: float | None
) -> bool:
    """Stores the assistant's message and completes the user's; saying it twice changes nothing.

    False: the message was told to have failed, and stays so.
    """
    now = _now()
    with store.write() as connection:
        asked = connection.execute(
            select(messages).where(messages.c.message_id == message_id, messages.c.role == USER)
        ).first()
        if asked is None or asked.status in {"failed", "cancelled"}:
            return False
        connection.execute(
            ignoring_conflicts(insert_into(connection, messages)).values(
                session_id=asked.session_id,
                message_id=message_id,
                role=ASSISTANT,
                status="completed",
                language=asked.language,
                collection=asked.collection,
                content=content,
                answer=answer,
                trace_id=asked.trace_id,
                confidence=confidence,
                created_at=now,
                updated_at=now,
            )
        )
        connection.execute(
            update(messages)
            .where(messages.c.message_id == message_id, messages.c.role == USER)
            .values(status="completed", updated_at=now)
        )
    return True


def fail_message(connection: Connection, message_id: str, status: str, reason: str, partial_answer: str) -> None:
    """Marks a message as failed or cancelled, keeping what had been said; saying it twice changes nothing."""
    now = _now()
    asked = connection.execute(
        select(messages).where(messages.c.message_id == message_id, messages.c.role == USER)
    ).first()
    if asked is None or asked.status != "accepted":
        return
    connection.execute(
        update(messages)
        .where(messages.c.message_id == message_id, messages.c.role == USER)
        .values(status=status, reason=reason, updated_at=now)
    )
    if partial_answer:
        connection.execute(
            ignoring_conflicts(insert_into(connection, messages)).values(
                session_id=asked.session_id,
                message_id=message_id,
                role=ASSISTANT,
                status=status,
                reason=reason,
                language=asked.language,
                collection=asked.collection,
                content=partial_answer,
                partial=True,
                trace_id=asked.trace_id,
                created_at=now,
                updated_at=now,
            )
        )


def delete_session(store: Store, session_id: str) -> bool:
    """Deletes the session with its messages and their ratings; its events stay until their retention ends.

    False: there was none.
    """
    with store.write() as connection:
        connection.execute(delete(message_feedback).where(message_feedback.c.session_id == session_id))
        connection.execute(delete(messages).where(messages.c.session_id == session_id))
        return connection.execute(delete(sessions).where(sessions.c.session_id == session_id)).rowcount == 1


def unfinished(store: Store, session_id: str, limit: int) -> list[str]:
    """The ids of the session's newest messages that have no ending yet, oldest first."""
    with store.read() as connection:
        found = connection.execute(_UNFINISHED, {"session_id": session_id, "limit": limit}).scalars()
        return list(found)[::-1]


def accepted_before(store: Store, moment: datetime.datetime, limit: int) -> list[Message]:
    """Messages that were accepted before `moment` and have no ending yet, oldest first."""
    statement = (
        select(*_MESSAGE_COLUMNS)
        .where(messages.c.role == USER, messages.c.status == "accepted", messages.c.created_at < moment)
        .order_by(messages.c.id)
        .limit(limit)
    )
    with store.read() as connection:
        return [_message(row) for row in connection.execute(statement)]

"""Reading all events, and the messages that something is wrong with, page by page."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator

from sqlalchemy import Select, and_, func, or_, select

from pipeline.store.conversations import ASSISTANT, USER
from pipeline.store.engine import Store
from pipeline.store.models import events, messages
from pipeline.verify import TOLD_FIELDS, Told

_PAGE_ROWS = 5_000
_COLUMNS = [events.c[name] for name in TOLD_FIELDS]


@dataclasses.dataclass(frozen=True)
class Suspect:
    """A message without an ending, or one that is completed with another number of answers than one."""

    id: int
    session_id: str
    message_id: str
    status: str
    answers: int


def told(
    store: Store, after: int, upto: int, session_id: str | None = None, page_rows: int = _PAGE_ROWS
) -> Iterator[Told]:
    """The stored events behind `after` up to `upto`, of all sessions or of one, in order of id.

    Raises StoreUnavailable.
    """
    while after < upto:
        statement = select(*_COLUMNS).where(events.c.id > after, events.c.id <= upto)
        if session_id is not None:
            statement = statement.where(events.c.session_id == session_id)
        with store.read() as connection:
            rows = connection.execute(statement.order_by(events.c.id).limit(page_rows)).all()
        for row in rows:
            yield Told(*row)
        if len(rows) < page_rows:
            return
        after = rows[-1].id


def suspects(
    store: Store,
    accepted_before: datetime.datetime,
    since: datetime.datetime | None = None,
    session_id: str | None = None,
    page_rows: int = _PAGE_ROWS,
) -> Iterator[Suspect]:
    """Messages accepted before a moment that have no ending yet, and completed ones without exactly one answer.

    Only those made after `since`, and of one session, where these are given. Raises StoreUnavailable.
    """
    after = 0
    while True:
        statement = _suspicious(accepted_before).where(messages.c.id > after)
        if since is not None:
            statement = statement.where(messages.c.created_at >= since)
        if session_id is not None:
            statement = statement.where(messages.c.session_id == session_id)
        with store.read() as connection:
            rows = connection.execute(statement.order_by(messages.c.id).limit(page_rows)).all()
        for row in rows:
            yield Suspect(**row._asdict())
        if len(rows) < page_rows:
            return
        after = rows[-1].id


def _suspicious(accepted_before: datetime.datetime) -> Select[tuple[int, str, str, str, int]]:
    answer = messages.alias()
    answers = (
        select(func.count())
        .select_from(answer)
        .where(answer.c.message_id == messages.c.message_id, answer.c.role == ASSISTANT)
        .correlate(messages)
        .scalar_subquery()
    )
    unfinished = and_(messages.c.status == "accepted", messages.c.created_at < accepted_before)
    answered_wrongly = and_(messages.c.status == "completed", answers != 1)
    return select(
        messages.c.id, messages.c.session_id, messages.c.message_id, messages.c.status, answers.label("answers")
    ).where(messages.c.role == USER, or_(unfinished, answered_wrongly))

"""What users think of answers: one rating of each user for a message."""

from __future__ import annotations

import dataclasses
import datetime
import enum

from sqlalchemy import select, update

from pipeline.store.conversations import utc
from pipeline.store.dialects import ignoring_conflicts, insert_into, inserted
from pipeline.store.engine import Store
from pipeline.store.models import message_feedback


class Saved(enum.StrEnum):
    """What a rating was: the user's first of this message, another one, or the same again."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@dataclasses.dataclass(frozen=True)
class Feedback:
    """A rating: `up`, `down`, or `1` to `5`."""

    message_id: str
    given_by: str
    session_id: str
    rating: str
    comment: str | None
    created_at: datetime.datetime
    updated_at: datetime.datetime


def save(store: Store, given: Feedback) -> tuple[Saved, Feedback]:
    """Keeps a rating in place of the user's earlier one; what it was, and the rating as it is kept.

    Raises StoreUnavailable.
    """
    columns = message_feedback.c
    own = (columns.message_id == given.message_id, columns.given_by == given.given_by)
    with store.write() as connection:
        statement = ignoring_conflicts(insert_into(connection, message_feedback)).values(**dataclasses.asdict(given))
        if inserted(connection, statement):
            return Saved.NEW, given
        values = connection.execute(select(message_feedback).where(*own)).one()._asdict()
        before = Feedback(
            **{**values, "created_at": utc(values["created_at"]), "updated_at": utc(values["updated_at"])}
        )
        if (before.rating, before.comment) == (given.rating, given.comment):
            return Saved.SAME, before
        changed = dataclasses.replace(given, created_at=before.created_at)
        connection.execute(
            update(message_feedback)
            .where(*own)
            .values(rating=given.rating, comment=given.comment, updated_at=given.updated_at)
        )
        return Saved.CHANGED, changed

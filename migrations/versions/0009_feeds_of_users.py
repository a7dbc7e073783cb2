"""Indexes by which a user's feed is read again, and counts of all events since the beginning."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_USER = sa.text("user_id IS NOT NULL")
_MARK = """'"audience":"everyone"'"""


def upgrade() -> None:
    op.create_index("ix_events_user_id_id", "events", ["user_id", "id"], sqlite_where=_USER, postgresql_where=_USER)
    op.create_index(
        "ix_events_everyone",
        "events",
        ["id"],
        sqlite_where=sa.text(f"instr(metadata, {_MARK}) > 0"),
        postgresql_where=sa.text(f"strpos(metadata::text, {_MARK}) > 0"),
    )
    op.create_table(
        "event_totals",
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("event_type", sa.String(100), nullable=False),
        sa.Column("priority", sa.String(16), nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("category", "event_type", "priority", name="pk_event_totals"),
    )
    op.execute(
        "INSERT INTO event_totals (category, event_type, priority, events) "
        "SELECT category, event_type, priority, count(*) FROM events GROUP BY category, event_type, priority"
    )


def downgrade() -> None:
    op.drop_table("event_totals")
    op.drop_index("ix_events_everyone", "events")
    op.drop_index("ix_events_user_id_id", "events")

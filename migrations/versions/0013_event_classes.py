"""Counts of events by how long they took, by the minute, the hour and six hours; sessions by their last message."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    key = ("step_seconds", "bucket", "category", "event_type", "event_status", "priority", "duration_class")
    op.create_table(
        "event_classes",
        sa.Column("step_seconds", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("bucket", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("event_type", sa.String(100), nullable=False),
        sa.Column("event_status", sa.String(20), nullable=False),
        sa.Column("priority", sa.String(16), nullable=False),
        sa.Column("duration_class", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("total_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_event_classes"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_chat_sessions_updated_at_session_id", "chat_sessions", ["updated_at", "session_id"])


def downgrade() -> None:
    op.drop_index("ix_chat_sessions_updated_at_session_id", "chat_sessions")
    op.drop_table("event_classes")

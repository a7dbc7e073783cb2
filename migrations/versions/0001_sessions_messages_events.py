"""Sessions, messages, events with their view, counts by minute, dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "chat_sessions",
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("user_id", sa.String(128)),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_chat_sessions"),
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(50)),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("collection", sa.String(64)),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("partial", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("answer", sa.JSON),
        sa.Column("metadata", sa.JSON),
        sa.Column("trace_id", sa.String(32)),
        sa.Column("confidence", sa.Float),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat_messages"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["chat_sessions.session_id"], name="fk_chat_messages_session_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("message_id", "role", name="uq_chat_messages_message_id_role"),
    )
    op.create_index("ix_chat_messages_session_id_id", "chat_messages", ["session_id", "id"])
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("seq", sa.BigInteger),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("event_type", sa.String(100), nullable=False),
        sa.Column("event_status", sa.String(20)),
        sa.Column("priority", sa.String(16), nullable=False),
        sa.Column("session_id", sa.String(64)),
        sa.Column("message_id", sa.String(64)),
        sa.Column("user_id", sa.String(128)),
        sa.Column("correlation_id", sa.String(128)),
        sa.Column("trace_id", sa.String(32)),
        sa.Column("span_id", sa.String(16)),
        sa.Column("parent_span_id", sa.String(16)),
        sa.Column("task_id", sa.String(64)),
        sa.Column("attempt", sa.Integer),
        sa.Column("event_data", sa.JSON),
        sa.Column("metadata", sa.JSON),
        sa.Column("user_message", sa.String(500)),
        sa.Column("timestamp", TIME, nullable=False),
        sa.Column("processing_time_ms", sa.BigInteger),
        sa.Column("queue_time_ms", sa.BigInteger),
        sa.Column("source_system", sa.String(64)),
        sa.Column("reason", sa.String(50)),
        sa.Column("error_type", sa.String(100)),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_session_id_id", "events", ["session_id", "id"])
    op.create_index("ix_events_message_id_id", "events", ["message_id", "id"])
    op.create_index("ix_events_category_id", "events", ["category", "id"])
    op.create_index("ix_events_timestamp", "events", ["timestamp"], postgresql_using="brin")
    op.create_table(
        "event_minutes",
        sa.Column("minute", TIME, nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("event_type", sa.String(100), nullable=False),
        sa.Column("event_status", sa.String(20), nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("timed", sa.BigInteger, nullable=False),
        sa.Column("total_ms", sa.BigInteger, nullable=False),
        sa.Column("longest_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("minute", "category", "event_type", "event_status", name="pk_event_minutes"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("entry_id", sa.String(40), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_dead_letters"),
    )
    op.execute(
        "CREATE VIEW chat_events AS SELECT id, session_id, message_id, event_type, event_status, event_data, "
        "user_message, timestamp, processing_time_ms FROM events "
        "WHERE session_id IS NOT NULL AND event_status IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP VIEW chat_events")
    for table in ("dead_letters", "event_minutes", "events", "chat_messages", "chat_sessions"):
        op.drop_table(table)

"""What users think of answers: one rating of each user for a message."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "message_feedback",
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("given_by", sa.String(128), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("rating", sa.String(4), nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("message_id", "given_by", name="pk_message_feedback"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["chat_sessions.session_id"], name="fk_message_feedback_session_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_message_feedback_session_id", "message_feedback", ["session_id"])


def downgrade() -> None:
    op.drop_table("message_feedback")

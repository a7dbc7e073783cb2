"""Administrators with their passwords' digests, and the sessions in which they are logged in."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "administrators",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("password", sa.String(255), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_administrators"),
    )
    op.create_table(
        "administrator_sessions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_administrator_sessions"),
        sa.ForeignKeyConstraint(
            ["name"], ["administrators.name"], name="fk_administrator_sessions_name", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_administrator_sessions_name", "administrator_sessions", ["name"])


def downgrade() -> None:
    op.drop_table("administrator_sessions")
    op.drop_table("administrators")

"""How far the log is stored and in which epoch, so that a Redis that went back is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "recorder_state",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("newest_id", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.String(32)),
        sa.PrimaryKeyConstraint("name", name="pk_recorder_state"),
    )


def downgrade() -> None:
    op.drop_table("recorder_state")

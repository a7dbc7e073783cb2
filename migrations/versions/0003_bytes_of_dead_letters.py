"""Dead letters keep the very bytes that could not be stored, so that they can be tried again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("dead_letters", sa.Column("wire", sa.LargeBinary))


def downgrade() -> None:
    op.drop_column("dead_letters", "wire")

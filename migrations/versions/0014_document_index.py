"""The document index on PostgreSQL, and the embeddings of chunks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0014"
down_revision = "0013"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("collection", sa.String(64), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("collection", "path", name="uq_documents_collection_path"),
    )
    op.create_table(
        "document_chunks",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("chunk_id", sa.String(64), nullable=False),
        sa.Column("document_id", sa.BigInteger, nullable=False),
        sa.Column("heading", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("stop", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_document_chunks"),
        sa.UniqueConstraint("chunk_id", name="uq_document_chunks_chunk_id"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_document_chunks_document_id_documents"),
    )
    op.create_index("ix_document_chunks_document_id", "document_chunks", ["document_id"])
    op.create_table(
        "document_words",
        sa.Column("chunk", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("collection", sa.String(64), nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("words", TSVECTOR().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("chunk", name="pk_document_words"),
        sa.ForeignKeyConstraint(["chunk"], ["document_chunks.id"], name="fk_document_words_chunk_document_chunks"),
    )
    op.create_index("ix_document_words_words", "document_words", ["words"], postgresql_using="gin")
    op.create_table(
        "document_terms",
        sa.Column("term", sa.Text, nullable=False),
        sa.Column("chunks", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("term", name="pk_document_terms"),
    )
    op.create_table(
        "document_counters",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_document_counters"),
    )
    op.create_table(
        "document_vectors",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("chunk_id", sa.String(64), nullable=False),
        sa.Column("collection", sa.String(64), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_document_vectors"),
        sa.UniqueConstraint("chunk_id", name="uq_document_vectors_chunk_id"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    for table in ("vectors", "counters", "terms", "words", "chunks"):
        op.drop_table(f"document_{table}")
    op.drop_table("documents")

"""The tables of the document index on PostgreSQL, and of embeddings; `migrations/` makes them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

_SERIAL = BigInteger().with_variant(Integer(), "sqlite")


class _Words(UserDefinedType[str]):
    """PostgreSQL's tsvector, without loading its dialect where SQLite is spoken."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """How the type is written."""
        return "TSVECTOR"


def _words() -> TypeEngine[str]:
    return _Words().with_variant(Text(), "sqlite")


def add_tables(metadata: MetaData) -> None:
    """Puts the tables where all tables are."""
    Table(
        "documents",
        metadata,
        Column("id", _SERIAL, primary_key=True),
        Column("collection", String(64), nullable=False),
        Column("path", Text, nullable=False),
        Column("title", Text, nullable=False),
        Column("url", Text, nullable=False),
        Column("text", Text, nullable=False),
        Column("language", String(8), nullable=False),
        Column("digest", String(64), nullable=False),
        Column("added_at", DateTime(timezone=True), nullable=False),
        UniqueConstraint("collection", "path"),
    )
    Table(
        "document_chunks",
        metadata,
        Column("id", _SERIAL, primary_key=True),
        Column("chunk_id", String(64), nullable=False, unique=True),
        Column("document_id", BigInteger, ForeignKey("documents.id"), nullable=False, index=True),
        Column("heading", Text, nullable=False),
        Column("text", Text, nullable=False),
        Column("start", Integer, nullable=False),
        Column("stop", Integer, nullable=False),
    )
    Table(
        "document_words",
        metadata,
        Column("chunk", BigInteger, ForeignKey("document_chunks.id"), primary_key=True, autoincrement=False),
        Column("collection", String(64), nullable=False),
        Column("length", Integer, nullable=False),
        Column("words", _words(), nullable=False),
        # GIN, as the migration says; saying it here would load PostgreSQL's dialect everywhere.
        Index("ix_document_words_words", "words"),
    )
    Table(
        "document_terms",
        metadata,
        Column("term", Text, primary_key=True),
        Column("chunks", BigInteger, nullable=False),
    )
    _add_vectors(metadata)


def _add_vectors(metadata: MetaData) -> None:
    Table(
        "document_counters",
        metadata,
        Column("name", String(32), primary_key=True),
        Column("value", BigInteger, nullable=False),
    )
    Table(
        "document_vectors",
        metadata,
        Column("id", _SERIAL, primary_key=True),
        Column("chunk_id", String(64), nullable=False, unique=True),
        Column("collection", String(64), nullable=False),
        Column("model", String(128), nullable=False),
        Column("digest", String(32), nullable=False),
        Column("vector", LargeBinary, nullable=False),
        # A number that was given away must never be given again: readers remember the last that they saw.
        sqlite_autoincrement=True,
    )

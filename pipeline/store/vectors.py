"""The embeddings of chunks in the database: as they are written, and as a reader keeps up with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy import Connection, delete, func, select, text, update

from pipeline.errors import StoreUnavailable
from pipeline.store.dialects import ignoring_conflicts, insert_into
from pipeline.store.engine import Store
from pipeline.store.models import document_counters, document_vectors

_REMOVED = "vectors_removed"
_LOCK_NUMBER = 7_364_413
"""Any number, the same for all: numbers must become visible in their order."""
_SWEEP_CHUNKS = 1_000
_columns = document_vectors.c


@dataclasses.dataclass(frozen=True)
class Vector:
    """The embedding of a chunk: float32, little-endian, of length 1; `digest` tells from which text and model."""

    chunk_id: str
    collection: str
    digest: str
    values: bytes


@dataclasses.dataclass(frozen=True)
class Numbered:
    """An embedding as a reader gets it; a later one has a larger number."""

    number: int
    chunk_id: str
    collection: str
    values: bytes


Kept = Callable[[Sequence[str]], set[str]]
"""Which of these chunks there are."""


class Vectors(Protocol):
    """Where the embeddings of one model are kept. Every method raises StoreUnavailable."""

    def known(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, str]:
        """Those of the chunks that have an embedding, with its digest."""

    def put(self, vectors: Sequence[Vector]) -> None:
        """Keeps them, in place of older ones of the same chunks."""

    def sweep(self, kept: Kept) -> int:
        """Forgets the embeddings of chunks that are gone, of which `kept` tells; how many."""

    def nearest(self, collection: str, vector: bytes, limit: int) -> list[tuple[str, float]]:
        """The `limit` chunks of `collection` that are most like `vector`, with their cosine, best first."""


class VectorTable:
    """The embeddings of `model` in the database, at most `limit` of them. Safe to use from several threads.

    What is nearest is for who has them in memory: `tasks.rag.exact`.
    """

    def __init__(self, store: Store, model: str, limit: int) -> None:
        self._store = store
        self._model = model
        self._limit = limit

    def known(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, str]:
        """See Vectors."""
        query = select(_columns.chunk_id, _columns.digest).where(
            _columns.chunk_id.in_(chunk_ids), _columns.model == self._model
        )
        with self._store.read() as connection:
            return {row.chunk_id: row.digest for row in connection.execute(query)}

    def put(self, vectors: Sequence[Vector]) -> None:
        """See Vectors; also raises StoreUnavailable when there would be too many."""
        if not vectors:
            return
        rows = [
            {
                "chunk_id": vector.chunk_id,
                "collection": vector.collection,
                "model": self._model,
                "digest": vector.digest,
                "vector": vector.values,
            }
            for vector in vectors
        ]
        with self._store.write() as connection:
            _in_turn(connection)
            _delete(connection, [vector.chunk_id for vector in vectors])
            there = connection.scalar(select(func.count()).select_from(document_vectors)) or 0
            if there + len(rows) > self._limit:
                raise StoreUnavailable(
                    f"the database keeps {self._limit} embeddings at most (SPANFEED_VECTORS_LIMIT_CHUNKS);"
                    " more need a ChromaDB server"
                )
            connection.execute(insert_into(connection, document_vectors), rows)

    def sweep(self, kept: Kept) -> int:
        """See Vectors; those of other models, too."""
        after, swept = "", 0
        while True:
            query = select(_columns.chunk_id).where(_columns.chunk_id > after).order_by(_columns.chunk_id)
            with self._store.read() as connection:
                page = list(connection.scalars(query.limit(_SWEEP_CHUNKS)))
            if not page:
                return swept
            gone = sorted(set(page) - kept(page))
            if gone:
                with self._store.write() as connection:
                    _in_turn(connection)
                    _delete(connection, gone)
            after, swept = page[-1], swept + len(gone)

    def state(self) -> tuple[int, int]:
        """The largest number there is, and how often embeddings were removed: what changes when anything does."""
        removed = select(document_counters.c.value).where(document_counters.c.name == _REMOVED).scalar_subquery()
        largest = select(_columns.id).order_by(_columns.id.desc()).limit(1).scalar_subquery()
        with self._store.read() as connection:
            row = connection.execute(select(func.coalesce(largest, 0), func.coalesce(removed, 0))).one()
        return int(row[0]), int(row[1])

    def since(self, number: int, limit: int) -> list[Numbered]:
        """At most `limit` embeddings of the model behind `number`, by number."""
        query = (
            select(_columns.id, _columns.chunk_id, _columns.collection, _columns.vector)
            .where(_columns.id > number, _columns.model == self._model)
            .order_by(_columns.id)
            .limit(limit)
        )
        with self._store.read() as connection:
            return [Numbered(row[0], row[1], row[2], bytes(row[3])) for row in connection.execute(query)]

    def numbers(self) -> set[int]:
        """The numbers of all embeddings of the model."""
        with self._store.read() as connection:
            return set(connection.scalars(select(_columns.id).where(_columns.model == self._model)))


def _in_turn(connection: Connection) -> None:
    # SQLite has one writer at a time by itself.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK_NUMBER})


def _delete(connection: Connection, chunk_ids: Sequence[str]) -> None:
    gone = connection.execute(delete(document_vectors).where(_columns.chunk_id.in_(chunk_ids))).rowcount
    if gone:
        counters = document_counters
        first = ignoring_conflicts(insert_into(connection, counters)).values(name=_REMOVED, value=0)
        connection.execute(first)
        grown = update(counters).where(counters.c.name == _REMOVED).values(value=counters.c.value + gone)
        connection.execute(grown)

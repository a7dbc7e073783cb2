"""The document index in PostgreSQL, which several machines share."""

from __future__ import annotations

import datetime
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, delete, func, or_, select, text

from pipeline.errors import StoreUnavailable
from pipeline.store import postgres_search
from pipeline.store.documents import WORDS_LIMIT, Chunk, Counted, Document, Hit, Listed, Numbered, digest_of
from pipeline.store.engine import Store
from pipeline.store.models import document_chunks, document_counters, document_terms, documents
from pipeline.store.postgres_search import TITLE_MARK, lexeme
from pipeline.store.postgres_statements import (
    ADD_CHUNK,
    ADD_COUNTER,
    ADD_DOCUMENT,
    ADD_TERMS,
    ADD_WORDS,
    DELETE_CHUNKS,
    DELETE_TERMS,
    DELETE_WORDS,
    TAKE_TERMS_BACK,
    TURN,
)
from pipeline.store.stems import Stemmer

# Beyond it PostgreSQL takes no lexeme, and nobody searches for one.
_DOCUMENT = ("collection", "path", "title", "url", "text", "language")
_STEM_LIMIT_CHARACTERS = 200
_POSITION_LIMIT = 16_000
_POSITIONS_LIMIT = 250
_NO_LIMIT = 1 << 62


class PostgresIndex:
    """The documents in the store's PostgreSQL. Safe to use from several threads, and after a fork.

    Words are those of SQLite's tokenizer, so that both indexes find the same. One program at a time adds or removes.
    Every method raises StoreUnavailable; a search when it takes longer than `timeout_seconds`.
    """

    candidates_limit = _NO_LIMIT

    def __init__(self, store: Store, timeout_seconds: float = 10.0) -> None:
        if store.dialect != "postgresql":
            raise StoreUnavailable("The document index in a database needs PostgreSQL.")
        self._store = store
        self._timeout_ms = max(1, int(timeout_seconds * 1000))
        self._stemmer = Stemmer()

    def has(self, document: Document, chunks: Sequence[Chunk]) -> bool:
        """Whether the document is kept just like this."""
        with self._store.read() as connection:
            return _known(connection, document)[1] == digest_of(document, chunks)

    def add(self, document: Document, chunks: Sequence[Chunk]) -> str:
        """Keeps the document with its chunks, in one transaction: `added`, `replaced`, or `unchanged`."""
        if self.has(document, chunks):
            return "unchanged"
        digest = digest_of(document, chunks)
        rows = self._words(document, chunks)
        with self._store.write() as connection:
            connection.execute(TURN)
            key, before = _known(connection, document)
            if before == digest:
                return "unchanged"
            if key is not None:
                _delete(connection, [key])
            _insert(connection, document, digest, chunks, rows)
        return "added" if key is None else "replaced"

    def remove(self, collection: str, path: str | None = None) -> tuple[int, int]:
        """Forgets a document, all under a folder, or (without `path`) all: how many documents and chunks."""
        query = select(documents.c.id).where(documents.c.collection == collection)
        if path is not None:
            below = func.left(documents.c.path, len(path) + 1) == f"{path}/"
            query = query.where(or_(documents.c.path == path, below))
        with self._store.write() as connection:
            connection.execute(TURN)
            keys = list(connection.scalars(query))
            return len(keys), _delete(connection, keys)

    def documents(self, collection: str | None = None) -> list[Listed]:
        """What is kept, by collection and path."""
        count = select(func.count()).where(document_chunks.c.document_id == documents.c.id).scalar_subquery()
        columns = documents.c
        query = select(
            columns.collection, columns.path, columns.title, count, func.length(columns.text), columns.added_at
        ).order_by(columns.collection, columns.path)
        if collection is not None:
            query = query.where(columns.collection == collection)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        return [Listed(*row[:5], row[5].isoformat(timespec="seconds")) for row in rows]

    def document(self, collection: str, path: str) -> Document | None:
        """One document with its plain text, or None."""
        columns = documents.c
        wanted = [columns[name] for name in _DOCUMENT]
        query = select(*wanted).where(columns.collection == collection, columns.path == path)
        with self._store.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else Document(*row)

    def collections(self) -> list[Counted]:
        """The collections that hold a document, by name."""
        columns = documents.c
        query = (
            select(columns.collection, func.count(columns.id.distinct()), func.count(document_chunks.c.id))
            .select_from(documents.outerjoin(document_chunks))
            .group_by(columns.collection)
            .order_by(columns.collection)
        )
        with self._store.read() as connection:
            return [Counted(*row) for row in connection.execute(query)]

    def search(self, collection: str, words: Sequence[str], limit: int) -> list[Hit]:
        """The chunks of `collection` that hold at least one of the words (at most 64 are looked at), best first."""
        stems = list(dict.fromkeys(itertools.chain(*self._stemmer.stems(words[:WORDS_LIMIT]))))
        if not stems:
            return []
        with self._searching() as connection:
            counts = _counts(connection, [*stems, *(TITLE_MARK + stem for stem in stems)])
            return postgres_search.search(connection, collection, stems, counts, _totals(connection), limit)

    def chunks(self, chunk_ids: Sequence[str]) -> list[Hit]:
        """Those of the chunks that are kept, in any order, without a score."""
        d, c = documents.c, document_chunks.c
        query = (
            select(c.chunk_id, d.collection, d.path, d.title, c.heading, d.url, c.text, c.start, c.stop)
            .select_from(document_chunks.join(documents))
            .where(c.chunk_id.in_(chunk_ids))
        )
        with self._searching() as connection:
            return [Hit(*row, 0.0) for row in connection.execute(query)]

    def page(self, after: int, limit: int) -> list[Numbered]:
        """At most `limit` chunks of all collections behind the number `after`, by number."""
        d, c = documents.c, document_chunks.c
        query = (
            select(c.id, c.chunk_id, d.collection, d.title, c.heading, c.text)
            .select_from(document_chunks.join(documents))
            .where(c.id > after)
            .order_by(c.id)
            .limit(limit)
        )
        with self._store.read() as connection:
            return [Numbered(*row) for row in connection.execute(query)]

    def statistics(self, stems: Sequence[str]) -> tuple[int, dict[str, int]]:
        """How many chunks there are in all, and in how many of them each stem occurs."""
        with self._searching() as connection:
            found = _counts(connection, stems)
            return _totals(connection)[0], {stem: found.get(stem, 0) for stem in stems}

    def close(self) -> None:
        """Ends the connections of this process; a later call connects again."""
        self._store.close()

    @contextmanager
    def _searching(self) -> Iterator[Connection]:
        with self._store.read() as connection:
            # Compiling a query of some milliseconds would take longer than running it.
            connection.execute(text(f"SET LOCAL statement_timeout = {self._timeout_ms}; SET LOCAL jit = off"))
            yield connection

    def _words(self, document: Document, chunks: Sequence[Chunk]) -> list[tuple[int, str]]:
        """Of each chunk how many words it has, and its words as PostgreSQL reads them."""
        texts = [part for chunk in chunks for part in (f"{document.title}\n{chunk.heading}\n{chunk.forms}", chunk.text)]
        stems = iter(self._stemmer.stems(texts))
        return [_vector(next(stems), next(stems)) for _ in chunks]


def _vector(named: Sequence[str], told: Sequence[str]) -> tuple[int, str]:
    """The words of title and heading, and of the text: their number, and a tsvector."""
    places: dict[str, list[str]] = defaultdict(list)
    for number, stem in enumerate((*named, *told), start=1):
        label = "A" if number <= len(named) else ""
        if len(stem) <= _STEM_LIMIT_CHARACTERS and len(places[stem]) < _POSITIONS_LIMIT:
            places[stem].append(f"{min(number, _POSITION_LIMIT)}{label}")
    words = [f"{lexeme(stem)}:{','.join(at)}" for stem, at in places.items() if at]
    words += [lexeme(TITLE_MARK + stem) for stem in Counter(named) if len(stem) <= _STEM_LIMIT_CHARACTERS]
    return len(named) + len(told), " ".join(words)


def _known(connection: Connection, document: Document) -> tuple[int | None, str | None]:
    columns = documents.c
    query = select(columns.id, columns.digest).where(
        columns.collection == document.collection, columns.path == document.path
    )
    row = connection.execute(query).first()
    return (None, None) if row is None else (row[0], row[1])


def _insert(
    connection: Connection, document: Document, digest: str, chunks: Sequence[Chunk], rows: Sequence[tuple[int, str]]
) -> None:
    key = connection.execute(
        ADD_DOCUMENT,
        {
            **{name: getattr(document, name) for name in _DOCUMENT},
            "digest": digest,
            "added_at": datetime.datetime.now(datetime.UTC),
        },
    ).scalar_one()
    for chunk, (length, words) in zip(chunks, rows, strict=True):
        values = {"chunk_id": chunk.chunk_id, "document": key, "heading": chunk.heading, "text": chunk.text}
        number = connection.execute(ADD_CHUNK, {**values, "start": chunk.start, "stop": chunk.end}).scalar_one()
        row = {"chunk": number, "collection": document.collection, "length": length, "words": words}
        connection.execute(ADD_WORDS, row)
    connection.execute(ADD_TERMS, {"documents": [key]})
    _count(connection, len(rows), sum(length for length, _ in rows))


def _delete(connection: Connection, keys: Sequence[int]) -> int:
    which = {"documents": list(keys)}
    if not keys:
        return 0
    connection.execute(TAKE_TERMS_BACK, which)
    connection.execute(DELETE_TERMS)
    lengths = list(connection.scalars(DELETE_WORDS, which))
    connection.execute(DELETE_CHUNKS, which)
    connection.execute(delete(documents).where(documents.c.id.in_(keys)))
    _count(connection, -len(lengths), -sum(lengths))
    return len(lengths)


def _count(connection: Connection, chunks: int, words: int) -> None:
    connection.execute(ADD_COUNTER, [{"name": "chunks", "value": chunks}, {"name": "words", "value": words}])


def _totals(connection: Connection) -> tuple[int, int]:
    """How many chunks there are, and how many words in them."""
    columns = document_counters.c
    query = select(columns.name, columns.value).where(columns.name.in_(["chunks", "words"]))
    found = {row.name: int(row.value) for row in connection.execute(query)}
    return found.get("chunks", 0), found.get("words", 0)


def _counts(connection: Connection, terms: Sequence[str]) -> dict[str, int]:
    columns = document_terms.c
    query = select(columns.term, columns.chunks).where(columns.term.in_(terms), columns.chunks > 0)
    return {row[0]: int(row[1]) for row in connection.execute(query)}

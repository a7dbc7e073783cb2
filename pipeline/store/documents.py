"""The document index: one SQLite file with documents, their chunks and the words in them (FTS5)."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import StoreUnavailable
from pipeline.store.connections import ThreadConnections
from pipeline.store.document_file import connect

_INSTRUCTIONS_BETWEEN_DEADLINE_CHECKS = 5_000
# A query is at most this many words: beyond it a pasted page would cost more than it finds.
WORDS_LIMIT = 64
# Ranking costs about a microsecond and a half for each chunk that holds a word (measured on 100,000 chunks).
CANDIDATES_LIMIT = 6_000

# Weights of title, heading path and text. Little depends on them: over 42 trial questions on 233 pages, twenty
# weightings had 38 to 41 answers among the first five, this one 37 at the first place (the most).
_SEARCH = """
SELECT c.chunk_id, d.collection, d.path, d.title, w.heading, d.url, w.body, c.start, c.stop, -w.rank
FROM chunk_words AS w JOIN chunks AS c ON c.id = w.rowid JOIN documents AS d ON d.id = c.document_id
WHERE w.chunk_words MATCH ? AND w.rank MATCH 'bm25(2.0, 1.0, 1.0)' AND d.collection = ?
ORDER BY w.rank LIMIT ?
"""
_CHUNKS = """
SELECT c.chunk_id, d.collection, d.path, d.title, w.heading, d.url, w.body, c.start, c.stop, 0.0
FROM chunks AS c JOIN chunk_words AS w ON w.rowid = c.id JOIN documents AS d ON d.id = c.document_id
WHERE c.chunk_id IN (:ids)
"""
_PAGE = """
SELECT c.id, c.chunk_id, d.collection, d.title, w.heading, w.body
FROM chunks AS c JOIN chunk_words AS w ON w.rowid = c.id JOIN documents AS d ON d.id = c.document_id
WHERE c.id > ? ORDER BY c.id LIMIT ?
"""
_VARIABLES_LIMIT = 500


@dataclasses.dataclass(frozen=True)
class Document:
    """A document as it is kept; `text` is its plain text, into which chunks and citations point.

    `language` is its code, or empty where it is not known.
    """

    collection: str
    path: str
    title: str
    url: str
    text: str
    language: str = ""


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A piece of a document: `text` is characters `start` to `end` of the document's text.

    `forms` are further words under which it is found, with spaces between them; nobody reads them.
    """

    chunk_id: str
    heading: str
    text: str
    start: int
    end: int
    forms: str = ""


@dataclasses.dataclass(frozen=True)
class Listed:
    """A line of the list of documents; `characters` is the length of the plain text, `added_at` is UTC."""

    collection: str
    path: str
    title: str
    chunks: int
    characters: int
    added_at: str


@dataclasses.dataclass(frozen=True)
class Counted:
    """A collection's name and how many documents and chunks it holds."""

    collection: str
    documents: int
    chunks: int


@dataclasses.dataclass(frozen=True)
class Hit:
    """A chunk that holds a word of the query; a higher `score` (BM25) is better, within one search only."""

    chunk_id: str
    collection: str
    path: str
    title: str
    heading: str
    url: str
    text: str
    start: int
    end: int
    score: float


@dataclasses.dataclass(frozen=True)
class Numbered:
    """A chunk in the order in which chunks were added: a later one has a larger number."""

    number: int
    chunk_id: str
    collection: str
    title: str
    heading: str
    text: str


def digest_of(document: Document, chunks: Sequence[Chunk]) -> str:
    """What changes when anything does that is kept of the document."""
    digest = hashlib.sha256()
    for part in (document.title, document.url, document.text, *(f"{c.chunk_id}\n{c.heading}" for c in chunks)):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


class _Deadline(threading.local):
    at: float = math.inf


class DocumentIndex:
    """The documents in the SQLite file `path`, made when missing; for several threads and processes at once.

    `timeout_seconds` bounds one search. Every method raises StoreUnavailable when the file cannot be used in time.
    """

    candidates_limit = CANDIDATES_LIMIT

    def __init__(self, path: Path | str, timeout_seconds: float = 10.0) -> None:
        self.path = Path(path)
        self._timeout_seconds = timeout_seconds
        self._deadline = _Deadline()
        self._connections = ThreadConnections(self._connect)
        with self._reading():
            pass

    def has(self, document: Document, chunks: Sequence[Chunk]) -> bool:
        """Whether the document is kept just like this."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT digest FROM documents WHERE collection = ? AND path = ?", (document.collection, document.path)
            ).fetchone()
        return found is not None and found[0] == digest_of(document, chunks)

    def add(self, document: Document, chunks: Sequence[Chunk]) -> str:
        """Keeps the document with its chunks, in one transaction: `added`, `replaced`, or `unchanged`."""
        digest = digest_of(document, chunks)
        with self._writing() as connection:
            known = connection.execute(
                "SELECT id, digest FROM documents WHERE collection = ? AND path = ?",
                (document.collection, document.path),
            ).fetchone()
            if known is not None:
                if known[1] == digest:
                    return "unchanged"
                self._delete(connection, [known[0]])
            key = connection.execute(
                "INSERT INTO documents (collection, path, title, url, text, language, digest, added_at)"
                " VALUES (?,?,?,?,?,?,?,?)",
                (*dataclasses.astuple(document), digest, datetime.now(UTC).isoformat(timespec="seconds")),
            ).lastrowid
            for chunk in chunks:
                row = connection.execute(
                    "INSERT INTO chunks (chunk_id, document_id, start, stop) VALUES (?,?,?,?)",
                    (chunk.chunk_id, key, chunk.start, chunk.end),
                ).lastrowid
                connection.execute(
                    "INSERT INTO chunk_words (rowid, title, heading, body) VALUES (?,?,?,?)",
                    # The title is shown from the table of documents: in this one it is only searched.
                    (row, f"{document.title} {chunk.forms}".rstrip(), chunk.heading, chunk.text),
                )
        return "added" if known is None else "replaced"

    def remove(self, collection: str, path: str | None = None) -> tuple[int, int]:
        """Forgets a document, all under a folder, or (without `path`) all: how many documents and chunks."""
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT id FROM documents WHERE collection = :collection"
                " AND (:path IS NULL OR path = :path OR substr(path, 1, length(:path) + 1) = :path || '/')",
                {"collection": collection, "path": path},
            )
            keys = [row[0] for row in rows]
            return len(keys), self._delete(connection, keys)

    def documents(self, collection: str | None = None) -> list[Listed]:
        """What is kept, by collection and path."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT collection, path, title, (SELECT count(*) FROM chunks WHERE document_id = d.id), length(text),"
                " added_at FROM documents AS d WHERE ? IS NULL OR collection = ? ORDER BY collection, path",
                (collection, collection),
            )
            return [Listed(*row) for row in rows]

    def document(self, collection: str, path: str) -> Document | None:
        """One document with its plain text, or None."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT collection, path, title, url, text, language FROM documents WHERE collection = ? AND path = ?",
                (collection, path),
            ).fetchone()
            return Document(*row) if row else None

    def collections(self) -> list[Counted]:
        """The collections that hold a document, by name."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT d.collection, count(DISTINCT d.id), count(c.id) FROM documents AS d"
                " LEFT JOIN chunks AS c ON c.document_id = d.id GROUP BY d.collection ORDER BY d.collection"
            )
            return [Counted(*row) for row in rows]

    def search(self, collection: str, words: Sequence[str], limit: int) -> list[Hit]:
        """The chunks of `collection` that hold at least one of the words (at most 64 are looked at), best first."""
        quoted = ['"' + word.replace("\0", " ").replace('"', '""') + '"' for word in words[:WORDS_LIMIT]]
        if not quoted:
            return []
        with self._reading() as connection:
            return [Hit(*row) for row in connection.execute(_SEARCH, (" OR ".join(quoted), collection, limit))]

    def chunks(self, chunk_ids: Sequence[str]) -> list[Hit]:
        """Those of the chunks that are kept, in any order, without a score."""
        found: list[tuple[Any, ...]] = []
        with self._reading() as connection:
            for at in range(0, len(chunk_ids), _VARIABLES_LIMIT):
                some = chunk_ids[at : at + _VARIABLES_LIMIT]
                found += connection.execute(_CHUNKS.replace(":ids", ",".join("?" * len(some))), some).fetchall()
        return [Hit(*row) for row in found]

    def page(self, after: int, limit: int) -> list[Numbered]:
        """At most `limit` chunks of all collections behind the number `after`, by number."""
        with self._reading() as connection:
            return [Numbered(*row) for row in connection.execute(_PAGE, (after, limit))]

    def statistics(self, stems: Sequence[str]) -> tuple[int, dict[str, int]]:
        """How many chunks there are in all, and in how many of them each stem occurs."""
        with self._reading() as connection:
            total: int = connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
            found: dict[str, int] = {}
            for stem in stems:
                row = connection.execute("SELECT doc FROM vocabulary WHERE term = ?", (stem,)).fetchone()
                found[stem] = row[0] if row else 0
            return total, found

    def close(self) -> None:
        """Closes the connections of all threads of this process; a later call opens again."""
        self._connections.close()

    @staticmethod
    def _delete(connection: sqlite3.Connection, keys: Sequence[int]) -> int:
        removed = 0
        for key in keys:
            rows = [row[0] for row in connection.execute("SELECT id FROM chunks WHERE document_id = ?", (key,))]
            connection.executemany("DELETE FROM chunk_words WHERE rowid = ?", ((row,) for row in rows))
            connection.execute("DELETE FROM chunks WHERE document_id = ?", (key,))
            connection.execute("DELETE FROM documents WHERE id = ?", (key,))
            removed += len(rows)
        return removed

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            connection = self._connections.get()
            self._deadline.at = time.monotonic() + self._timeout_seconds
            try:
                yield connection
            finally:
                self._deadline.at = math.inf

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            connection = self._connections.get()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # SQLite has undone it already when the disk is full.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            why = "it did not answer in time" if "interrupted" in str(error) else str(error)
            raise StoreUnavailable(f"The document index {self.path.name} cannot be used: {why}.") from error

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.path)
        deadline = self._deadline
        connection.set_progress_handler(lambda: time.monotonic() > deadline.at, _INSTRUCTIONS_BETWEEN_DEADLINE_CHECKS)
        return connection

"""What every document index can do, wherever it keeps the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.store.documents import Chunk, Counted, Document, Hit, Listed, Numbered


class Index(Protocol):
    """Documents, their chunks and the words in them. Every method raises StoreUnavailable.

    `DocumentIndex` keeps them in a SQLite file, `PostgresIndex` in PostgreSQL; their methods say more.
    """

    candidates_limit: int
    """How many chunks that hold a word a search may rank; it leaves common words out that would exceed it."""

    def has(self, document: Document, chunks: Sequence[Chunk]) -> bool:
        """Whether the document is kept just like this."""

    def add(self, document: Document, chunks: Sequence[Chunk]) -> str:
        """Keeps the document with its chunks: `added`, `replaced`, or `unchanged`."""

    def remove(self, collection: str, path: str | None = None) -> tuple[int, int]:
        """Forgets a document, all under a folder, or all: how many documents and chunks."""

    def documents(self, collection: str | None = None) -> list[Listed]:
        """What is kept, by collection and path."""

    def document(self, collection: str, path: str) -> Document | None:
        """One document with its plain text, or None."""

    def collections(self) -> list[Counted]:
        """The collections that hold a document, by name."""

    def search(self, collection: str, words: Sequence[str], limit: int) -> list[Hit]:
        """The chunks of `collection` that hold at least one of the words, best first; the rarest words come first."""

    def chunks(self, chunk_ids: Sequence[str]) -> list[Hit]:
        """Those of the chunks that are kept, in any order, without a score."""

    def page(self, after: int, limit: int) -> list[Numbered]:
        """At most `limit` chunks of all collections behind the number `after`, by number."""

    def statistics(self, stems: Sequence[str]) -> tuple[int, dict[str, int]]:
        """How many chunks there are in all, and in how many of them each stem occurs."""

    def close(self) -> None:
        """Ends the connections."""

"""Words as the document index keeps them, by SQLite's own tokenizer, so that query and text agree to the letter."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from pipeline.errors import StoreUnavailable
from pipeline.store.connections import ThreadConnections
from pipeline.store.document_file import TOKENIZER


def _memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute(f"CREATE VIRTUAL TABLE words USING fts5 (body, content = '', tokenize = '{TOKENIZER}')")
    connection.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, instance)")
    return connection


class Stemmer:
    """Folds case, drops accents, cuts endings. Safe for several threads and after a fork."""

    def __init__(self) -> None:
        self._connections = ThreadConnections(_memory)

    def stems(self, texts: Sequence[str]) -> list[list[str]]:
        """The stems of each text, in order, repeats kept. Raises StoreUnavailable."""
        found: list[list[tuple[int, str]]] = [[] for _ in texts]
        try:
            connection = self._connections.get()
            connection.execute("BEGIN")
            try:
                connection.executemany(
                    "INSERT INTO words (rowid, body) VALUES (?, ?)",
                    ((number, text.replace("\0", " ")) for number, text in enumerate(texts, start=1)),
                )
                for term, number, offset in connection.execute("SELECT term, doc, offset FROM vocabulary"):
                    found[number - 1].append((offset, term))
            finally:
                connection.execute("ROLLBACK")
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise StoreUnavailable(f"The text cannot be split into words: {error}.") from error
        return [[term for _, term in sorted(terms)] for terms in found]

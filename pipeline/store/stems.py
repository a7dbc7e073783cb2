"""Words as the document index keeps them, by SQLite's own tokenizer, so that query and text agree to the letter."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from pipeline.errors import StoreUnavailable
from pipeline.store.connections import ThreadConnections
from pipeline.store.document_file import TOKENIZER

_REMEMBERED_WORDS = 50_000


def _memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute(f"CREATE VIRTUAL TABLE words USING fts5 (body, content = '', tokenize = '{TOKENIZER}')")
    connection.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, instance)")
    return connection


class Stemmer:
    """Folds case, drops accents, cuts endings. Safe for several threads and after a fork."""

    def __init__(self) -> None:
        self._connections = ThreadConnections(_memory)
        self._known: dict[str, str] = {}

    def stems_of_words(self, words: Sequence[str]) -> dict[str, str]:
        """Word → stem, for single words; the latest are remembered. Raises StoreUnavailable."""
        known = self._known
        new = [word for word in dict.fromkeys(words) if word not in known]
        if len(known) + len(new) > _REMEMBERED_WORDS:
            # Another thread goes on with the old one.
            known = self._known = {}
            new = list(dict.fromkeys(words))
        if new:
            known.update((word, found[0] if found else word) for word, found in zip(new, self.stems(new), strict=True))
        return known

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

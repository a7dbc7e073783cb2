"""The document index's file: its tables, and a connection that is ready for them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from pipeline.errors import StoreUnavailable

SCHEMA_VERSION = 1
TOKENIZER = "porter unicode61"

_SCHEMA = f"""
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, collection TEXT NOT NULL, path TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
    text TEXT NOT NULL, digest TEXT NOT NULL, added_at TEXT NOT NULL, UNIQUE (collection, path));
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, chunk_id TEXT NOT NULL UNIQUE, document_id INTEGER NOT NULL REFERENCES documents (id),
    start INTEGER NOT NULL, stop INTEGER NOT NULL);
CREATE INDEX chunks_of_document ON chunks (document_id);
CREATE VIRTUAL TABLE chunk_words USING fts5 (title, heading, body, tokenize = '{TOKENIZER}');
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (chunk_words, row);
"""
_BUSY_TIMEOUT_SECONDS = 10.0
_BUSY_PAUSE_SECONDS = 0.02


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the index at `path`, made when missing. Raises StoreUnavailable, or sqlite3.Error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"The folder of the document index cannot be made: {error.strerror}.") from error
    connection = sqlite3.connect(path, _BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path.name)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, name: str) -> None:
    options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    if "ENABLE_FTS5" not in options and not _has_fts5(connection):
        raise StoreUnavailable("Documents need a Python whose SQLite has the FTS5 extension, and this one has not.")
    _use_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have made the tables while this one waited for its turn.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            version = SCHEMA_VERSION
        connection.execute("COMMIT")
    if version != SCHEMA_VERSION:
        raise StoreUnavailable(
            f"The document index {name} has version {version}, this program reads version {SCHEMA_VERSION}."
        )
    _add_language(connection)


def _add_language(connection: sqlite3.Connection) -> None:
    """Adds the column that files of this version got later; programs that do not know it are not disturbed."""
    missing = "SELECT count(*) = 0 FROM pragma_table_info('documents') WHERE name = 'language'"
    if connection.execute(missing).fetchone()[0]:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute(missing).fetchone()[0]:
            connection.execute("ALTER TABLE documents ADD COLUMN language TEXT NOT NULL DEFAULT ''")
        connection.execute("COMMIT")


def _has_fts5(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'").fetchone()[0])


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    # SQLite answers "locked" at once, without its busy timeout, when two connections switch the mode together.
    deadline = time.monotonic() + _BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_SECONDS)

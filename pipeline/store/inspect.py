"""Questions to the database about itself: what it is, its clock, its schema, what lies with the dead letters."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

from sqlalchemy import func, inspect, make_url, select, text

from pipeline.settings import Settings
from pipeline.store.conversations import utc
from pipeline.store.engine import Store
from pipeline.store.models import dead_letters


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a database is. `journal` is SQLite's journal mode, `wal` where readers and writer do not wait."""

    name: str
    version: str
    journal: str | None
    now: datetime.datetime | None


def file_of(settings: Settings) -> Path | None:
    """SQLite's file, which need not be there yet; None for a server or a database in memory. Raises SettingError."""
    url = settings.sqlalchemy_url
    name = make_url(url).database if url.startswith("sqlite") else None
    return Path(name) if name and name != ":memory:" else None


def facts(store: Store) -> Facts:
    """Asks the database; a SQLite file that is not there yet is made. Raises StoreUnavailable."""
    with store.read() as connection:
        if store.dialect == "sqlite":
            version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
            journal = connection.execute(text("PRAGMA journal_mode")).scalar_one()
            return Facts("SQLite", str(version), str(journal), None)
        version = connection.execute(text("SHOW server_version")).scalar_one()
        now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return Facts("PostgreSQL", str(version), None, utc(now))


def dead_letter_count(store: Store) -> int:
    """How many entries lie with the dead letters, 0 where there is no such table yet. Raises StoreUnavailable."""
    with store.read() as connection:
        if not inspect(connection).has_table(dead_letters.name):
            return 0
        return int(connection.execute(select(func.count()).select_from(dead_letters)).scalar_one())

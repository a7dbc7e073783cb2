"""Bringing the database to the newest schema, with the migrations beside the program."""

from __future__ import annotations

import contextlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from pipeline.store.engine import Store

_MIGRATIONS = Path(__file__).parents[2] / "migrations"
_LOCK_NUMBER = 7_364_412
"""Any number, the same for all: two programs that start together migrate one after the other."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(store: Store) -> tuple[str | None, str | None]:
    """Runs the migrations that are missing. Returns the schema's revision before and after."""
    before = current_revision(store)
    with store.write() as connection:
        if store.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK_NUMBER})
        command.upgrade(_config(connection), "head")
    return before, current_revision(store)


def current_revision(store: Store) -> str | None:
    """The schema's revision, None for an empty database."""
    with store.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """The revision that this program needs."""
    with contextlib.suppress(OSError):
        return ScriptDirectory.from_config(_config()).get_current_head()
    return None

"""Bringing the database to the newest schema, with the migrations beside the program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from pipeline.store.engine import Store

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parents[2] / "migrations"
_VERSIONS_TABLE = "alembic_version"
_LOCK_NUMBER = 7_364_412
"""Any number, the same for all: two programs that start together migrate one after the other."""


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(store: Store) -> tuple[str | None, str | None]:
    """Runs the migrations that are missing. Returns the schema's revision before and after."""
    # Here, since only who migrates needs Alembic: it is a sixth of what a web process would load.
    from alembic import command

    before = current_revision(store)
    with store.write() as connection:
        if store.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK_NUMBER})
        command.upgrade(_config(connection), "head")
    return before, current_revision(store)


def current_revision(store: Store) -> str | None:
    """The schema's revision, None for an empty database."""
    with store.read() as connection:
        if not inspect(connection).has_table(_VERSIONS_TABLE):
            return None
        found: str | None = connection.scalar(text(f"SELECT version_num FROM {_VERSIONS_TABLE}"))  # noqa: S608  # nosec
        return found


def newest_revision() -> str | None:
    """The revision that this program needs, None where its migrations are missing."""
    # A migration's file begins with its revision, and they are numbered.
    return max((file.name.partition("_")[0] for file in _MIGRATIONS.glob("versions/[0-9]*_*.py")), default=None)

"""What SQLite and PostgreSQL say differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, Table
from sqlalchemy.sql.dml import Insert

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def insert_into(connection: Connection, table: Table) -> Insert:
    """An INSERT that can say ON CONFLICT, in the connection's dialect."""
    # Each is imported where it is spoken: a process on SQLite loads nothing of PostgreSQL.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def ignoring_conflicts(statement: Insert) -> Insert:
    """`statement` that leaves rows alone that are there already."""
    return cast("postgresql.Insert | sqlite.Insert", statement).on_conflict_do_nothing()


def inserted(connection: Connection, statement: Insert) -> bool:
    """Runs an INSERT of one row that ignores conflicts; whether the row is new."""
    # Without the option SQLAlchemy does not ask PostgreSQL's driver for the count of an INSERT.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1

"""What SQLite and PostgreSQL say differently."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert


def insert_into(connection: Connection, table: Table) -> Insert:
    """An INSERT that can say ON CONFLICT, in the connection's dialect."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def ignoring_conflicts(statement: Insert) -> Insert:
    """`statement` that leaves rows alone that are there already."""
    assert isinstance(statement, postgresql.Insert | sqlite.Insert)
    return statement.on_conflict_do_nothing()


def inserted(connection: Connection, statement: Insert) -> bool:
    """Runs an INSERT of one row that ignores conflicts; whether the row is new."""
    # Without the option SQLAlchemy does not ask PostgreSQL's driver for the count of an INSERT.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1

"""`spanfeed db`: the database's schema."""

from __future__ import annotations

import click

from web.commands.audited import audited
from web.commands.opened import explained, opened


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@explained
def upgrade() -> None:
    """Bring the database to the newest schema."""
    from pipeline.store import migrate

    _, store = opened()
    with audited(store, "db.upgrade", "database") as details:
        before, after = migrate.upgrade(store)
        details |= {"from": before, "to": after}
    click.echo(f"The database is at revision {after}." if before == after else f"Migrated from {before} to {after}.")


@db.command()
@explained
def current() -> None:
    """Show the schema's revision."""
    from pipeline.store import migrate

    _, store = opened()
    click.echo(f"{migrate.current_revision(store)} (newest: {migrate.newest_revision()})")

"""`spanfeed admin`: the administrators who may log in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from web.commands.audited import audited
from web.commands.opened import explained, opened

if TYPE_CHECKING:
    from pipeline.store import Store
    from web.administrators import Administrators


def _administrators() -> tuple[Administrators, Store]:
    from web.administrators import Administrators

    settings, store = opened()
    return Administrators(settings, store), store


@click.group()
def admin() -> None:
    """The administrators."""


@admin.command()
@click.argument("name")
@explained
def create(name: str) -> None:
    """Make an administrator; the password is asked for."""
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    administrators, store = _administrators()
    with audited(store, "administrators.create", "administrator", name):
        if not administrators.create(name, password):
            raise click.ClickException("There is an administrator of that name.")
    click.echo(f"{name} may log in.")


@admin.command()
@click.argument("name")
@explained
def password(name: str) -> None:
    """Change an administrator's password; all their sessions end."""
    given = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    administrators, store = _administrators()
    with audited(store, "administrators.password", "administrator", name):
        if not administrators.change_password(name, given):
            raise click.ClickException("There is no administrator of that name.")
    click.echo(f"{name} has another password, and must log in again.")

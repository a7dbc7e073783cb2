"""`spanfeed keys`: the keys for servers, made, listed, rotated and revoked."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import click

from pipeline.event import clean_text
from web.commands.audited import OBJECT_ID, audited
from web.commands.opened import explained, opened
from web.policy import OF_A_KEY

if TYPE_CHECKING:
    from pipeline.store import Store
    from web.keyring import Locksmith

_BY = "key:command"
_SHOWN_ONCE = "It is shown this once; only a digest of it is kept."


def _locksmith() -> tuple[Locksmith, Store]:
    from web.keyring import Locksmith

    settings, store = opened()
    return Locksmith(settings, store), store


@click.group()
def keys() -> None:
    """The keys of servers."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(list(OF_A_KEY)), help="May be given again."
)
@click.option("--user", "user_id", help="The one user whose sessions the key opens; without it, all sessions.")
@click.option("--expires-days", type=click.FloatRange(0, 36_500, min_open=True), help="The key ends after so long.")
@explained
def create(name: str, scopes: tuple[str, ...], user_id: str | None, expires_days: float | None) -> None:
    """Make a key."""
    now = datetime.datetime.now(datetime.UTC)
    ends = None if expires_days is None else now + datetime.timedelta(days=expires_days)
    locksmith, store = _locksmith()
    with audited(store, "keys.create", "key") as details:
        details |= {"name": name, "scopes": list(scopes), "user_id": user_id, "expires_days": expires_days}
        key, row = locksmith.create(clean_text(name).strip()[:100], list(scopes), _BY, user_id, ends)
        details[OBJECT_ID] = row.key_id
    click.echo(key)
    click.echo(f"The key {row.key_id} is made. {_SHOWN_ONCE}", err=True)


@keys.command("list")
@explained
def list_() -> None:
    """List the keys, the newest first."""
    from pipeline.store.keys import listed

    _, store = opened()
    now = datetime.datetime.now(datetime.UTC)
    for key in listed(store):
        state = "revoked" if key.revoked_at else "living" if key.lives_at(now) else "expired"
        user = f" user={key.user_id}" if key.user_id else ""
        times = f"made {_day(key.created_at)} ends {_day(key.expires_at)} used {_day(key.last_used_at)}"
        click.echo(f"{key.key_id}  {state:<7}  {times}  {key.scopes}{user}  {key.name}")


def _day(moment: datetime.datetime | None) -> str:
    return "-" if moment is None else moment.strftime("%Y-%m-%dT%H:%MZ")


@keys.command()
@click.argument("key_id")
@click.option(
    "--overlap-hours", type=click.FloatRange(0, 720), help="How long the old key lives on; default: the setting."
)
@explained
def rotate(key_id: str, overlap_hours: float | None) -> None:
    """Make a key in a key's place; the old one lives on for a while."""
    seconds = None if overlap_hours is None else round(overlap_hours * 3600)
    locksmith, store = _locksmith()
    with audited(store, "keys.rotate", "key", key_id) as details:
        made = locksmith.rotate(key_id, _BY, seconds)
        if made is None:
            raise click.ClickException("There is no such key.")
        key, row = made
        details["new_key_id"] = row.key_id
    click.echo(key)
    click.echo(f"The key {row.key_id} is made in place of {key_id}. {_SHOWN_ONCE}", err=True)


@keys.command()
@click.argument("key_id")
@explained
def revoke(key_id: str) -> None:
    """Make a key open nothing any more, in every process within a second."""
    locksmith, store = _locksmith()
    with audited(store, "keys.revoke", "key", key_id):
        if not locksmith.revoke(key_id):
            raise click.ClickException("There is no such key.")
    click.echo(f"The key {key_id} is revoked.")

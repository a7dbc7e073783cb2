"""`spanfeed events`: what is stored, and taking old events away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.settings import Settings
from web.commands.audited import audited
from web.commands.dead_letters import letters
from web.commands.export import export
from web.commands.opened import explained, opened

if TYPE_CHECKING:
    from pipeline.store import Store

_LONGEST_HOURS = 876_000
"""A hundred years: beyond it there is no date."""


@click.group()
def events() -> None:
    """The stored events."""


events.add_command(letters)
events.add_command(export)


@events.command()
@explained
def stats() -> None:
    """Show how many events are stored, of what kinds, and how old."""
    from pipeline.store import events as stored

    _, store = opened()
    found = stored.statistics(store)
    click.echo(f"Events:        {found['total']}")
    click.echo(f"Sessions:      {found['sessions']}")
    click.echo(f"Oldest:        {found['oldest'] or '-'}")
    click.echo(f"Newest:        {found['newest'] or '-'}")
    click.echo(f"Dead letters:  {found['dead_letters']}")
    for title, counts in (("By category", found["by_category"]), ("By type and status", found["by_type"])):
        click.echo(f"{title}:")
        for name, count in counts.items():
            click.echo(f"  {count:>10}  {name}")


def _hours(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 < value <= _LONGEST_HOURS:
        raise click.BadParameter(f"must be more than 0 and at most {_LONGEST_HOURS:,}")
    return value


@events.command()
@click.option("--hours", type=float, callback=_hours, help="Older than so many hours.")
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@explained
def cleanup(hours: float | None, dry_run: bool) -> None:
    """Delete chat events older than --hours; without it, what every category's retention says."""
    settings, store = opened()
    if dry_run:
        _clean_up(settings, store, hours, True)
        return
    with audited(store, "events.cleanup", "events") as details:
        details["hours"] = hours
        details["deleted"] = _clean_up(settings, store, hours, False)


def _clean_up(settings: Settings, store: Store, hours: float | None, dry_run: bool) -> int:
    """Deletes, or only counts; says so, and gives how many."""
    from pipeline.store.retention import apply_retention, cleanup_older_than

    word = "would be deleted" if dry_run else "deleted"
    if hours is not None:
        found = cleanup_older_than(store, hours, dry_run)
        click.echo(f"{found} chat events older than {hours:g} h {word}")
        return found
    counts = apply_retention(store, settings, dry_run)
    for category, count in counts.items():
        click.echo(f"{count:>10}  {category} events {word}")
    return sum(counts.values())

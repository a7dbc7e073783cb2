"""`spanfeed events dead-letters`: what could not be stored, and trying it again."""

from __future__ import annotations

import datetime
import json
import sys
from typing import TYPE_CHECKING

import click

from web.commands.audited import audited
from web.commands.opened import explained, opened

if TYPE_CHECKING:
    from pipeline.store import Store


@click.group(name="dead-letters")
def letters() -> None:
    """Entries of the log that could not be stored as events."""


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


@letters.command(name="list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@explained
def list_letters(limit: int, as_json: bool) -> None:
    """List them, the oldest first: entry, age, reason, and the beginning of what it holds."""
    from pipeline.store import dead_letters

    _, store = opened()
    now = datetime.datetime.now(datetime.UTC)
    found = dead_letters.listed(store, limit)
    for letter in found:
        age_seconds = (now - letter.created_at).total_seconds()
        if as_json:
            line = {"entry_id": letter.entry_id, "reason": letter.reason, "age_seconds": round(age_seconds)}
            click.echo(json.dumps({**line, "payload": letter.shown}))
        else:
            click.echo(f"{letter.entry_id}  {_age(age_seconds)}  {letter.reason}")
            click.echo(f"    {letter.shown}")
    if not found and not as_json:
        click.echo("There are no dead letters.")


@letters.command()
@click.argument("entry_id", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of them.")
@explained
def retry(entry_id: tuple[str, ...], every: bool) -> None:
    """Try to store dead letters as events; status 1 when one of them stays."""
    from pipeline.store import dead_letters

    if every == bool(entry_id):
        raise click.UsageError("Name the entries, or give --all.")
    _, store = opened()
    stored = [_retried(store, one) for one in (dead_letters.entry_ids(store) if every else entry_id)]
    if not stored:
        click.echo("There are no dead letters.")
    sys.exit(0 if all(stored) else 1)


def _retried(store: Store, entry_id: str) -> bool:
    """Whether the letter is stored now; says so in one sentence."""
    from pipeline.store.recording import retry as store_again

    try:
        with audited(store, "dead-letters.retry", "dead_letter", entry_id) as details:
            reason = store_again(store, entry_id)
            details["stored"] = reason is None
    except KeyError:
        click.echo(f"{entry_id}: there is no such dead letter.")
        return False
    click.echo(f"{entry_id}: " + ("stored." if reason is None else f"stays a dead letter: {reason}."))
    return reason is None

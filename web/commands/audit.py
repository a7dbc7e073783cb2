"""`spanfeed audit`: the audit trail, listed, exported and verified."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from pipeline.event import encode
from web.commands.opened import explained, opened


@click.group()
def audit() -> None:
    """Who did what: the audit trail."""


@audit.command()
@click.option(
    "--anchors",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The anchors' file; default: the one in the home folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON objects, one a line; the last is the summary.")
@explained
def verify(anchors: Path | None, as_json: bool) -> None:
    """Look for changed, missing, reordered and cut-off entries; status 1 when something is found."""
    from pipeline.store import audit as trail
    from pipeline.store import audit_chain

    _, store = opened()
    count = 0
    for finding in audit_chain.verify(store, anchors):
        count += 1
        if as_json:
            click.echo(json.dumps({"fault": finding.fault, "number": finding.number, "text": finding.text}))
        else:
            click.echo(f"{finding.fault:<10} entry {finding.number}: {finding.text}")
    head = trail.head(store)
    number, digest = head or (0, "-")
    if as_json:
        click.echo(json.dumps({"fault": None, "entries": number, "head": digest, "findings": count}))
    else:
        click.echo(f"{number} entries, head {digest}: " + (f"{count} findings" if count else "nothing is wrong"))
    sys.exit(1 if count else 0)


@audit.command(name="list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@explained
def list_entries(limit: int) -> None:
    """List the newest entries, the newest first."""
    from pipeline.store import audit as trail
    from pipeline.store.moments import time_text

    _, store = opened()
    found = trail.newest(store, limit)
    for entry in found:
        what = entry.object_type + (f" {entry.object_id}" if entry.object_id else "")
        click.echo(
            f"{entry.number:>8}  {time_text(entry.at)}  {entry.actor}  {entry.action}  {what}  {entry.outcome}  "
            f"{entry.details}"
        )
    if not found:
        click.echo("The audit trail is empty.")


@audit.command()
@click.option("--after", type=click.IntRange(0), default=0, help="Only entries behind this number.")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@explained
def export(after: int, limit: int | None) -> None:
    """Write entries to standard output, one JSON object a line, by ascending number."""
    from pipeline.store import audit as trail

    _, store = opened()
    out = sys.stdout.buffer
    for entry in trail.entries(store, after, limit):
        out.write(encode(entry.fields()) + b"\n")
    out.flush()


@audit.command()
@explained
def anchor() -> None:
    """Write the trail's head into the anchors' file now."""
    from pipeline.store import audit_chain

    _, store = opened()
    made = audit_chain.anchor(store)
    click.echo("The audit trail is empty." if made is None else f"Entry {made.number} is anchored: {made.hash}")

"""`spanfeed events export`: the stored events as lines of JSON, the same bytes that every feed gives."""

from __future__ import annotations

import sys

import click

from pipeline.event import Category
from web.commands.audited import audited
from web.commands.opened import explained, opened


@click.command()
@click.option("--session", "session_id", help="Only those of this session.")
@click.option("--message", "message_id", help="Only those of this message.")
@click.option("--after", type=click.IntRange(0, 2**53 - 1), default=0, help="Only those behind this id.")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@click.option(
    "--category", "categories", multiple=True, type=click.Choice([str(c) for c in Category]), help="Only these."
)
@explained
def export(
    session_id: str | None, message_id: str | None, after: int, limit: int | None, categories: tuple[str, ...]
) -> None:
    """Write stored events to standard output, one JSON object a line, by ascending id."""
    from pipeline.store import exporting

    _, store = opened()
    out = sys.stdout.buffer
    chosen = exporting.Chosen(session_id, message_id, categories)
    with audited(store, "events.export", "events", session_id or message_id) as details:
        details |= {"after": after, "limit": limit, "categories": list(categories), "events": 0}
        for event in exporting.stored_events(store, after, limit, chosen):
            out.write(event.wire + b"\n")
            details["events"] += 1
        out.flush()

"""`spanfeed events verify`: whether every span ended once, every number is there, every message has its ending."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import json
import sys
from typing import TYPE_CHECKING

import click

from pipeline import settings as settings_table
from pipeline.settings import Settings
from web.commands.audited import audited
from web.commands.opened import explained

if TYPE_CHECKING:
    from pipeline.bus import Bus
    from pipeline.store import Store
    from pipeline.verify import Finding
    from web.commands.verification import Verification


@click.command()
@click.option("--session", "session_id", help="Only this session.")
@click.option(
    "--since-hours", type=click.FloatRange(0, 876_000, min_open=True), help="Only events of the last so many hours."
)
@click.option("--close", "closing", is_flag=True, help="End what a lost run left open, as failed (worker_lost).")
@click.option("--json", "as_json", is_flag=True, help="Write JSON objects, one a line; the last is the summary.")
@explained
def verify(session_id: str | None, since_hours: float | None, closing: bool, as_json: bool) -> None:
    """Look for open, doubled, out-of-order and missing events; status 1 when something is found."""
    from pipeline.bus import open_bus
    from pipeline.store import open_store
    from web.commands.verification import Scope, Verification
    from web.up.launch import connected

    settings = _patient(connected(settings_table.load()))
    now = datetime.datetime.now(datetime.UTC)
    since = None if since_hours is None else now - datetime.timedelta(hours=since_hours)
    bus, store = open_bus(settings), open_store(settings)
    try:
        verification = Verification(settings, bus, store, Scope(session_id, since))
        counts: collections.Counter[str] = collections.Counter()
        for finding in verification.findings():
            counts[finding.kind] += 1
            _show(finding, as_json)
        closed = 0
        if closing:
            with audited(store, "events.verify-close", "events", session_id) as details:
                details["events"] = closed = _close(bus, store, verification, as_json)
    finally:
        store.close()
        bus.close_connections()
    _summarise(verification.verifier.seen, counts, closed if closing else None, as_json)
    sys.exit(1 if counts else 0)


def _patient(settings: Settings) -> Settings:
    """The settings with a deadline for events that suits a command better than a stage."""
    return dataclasses.replace(settings, emit_deadline_ms=max(settings.emit_deadline_ms, settings.script_timeout_ms))


def _show(finding: Finding, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(finding), ensure_ascii=False))
        return
    places = [
        ("session", finding.session_id),
        ("message", finding.message_id),
        ("event", finding.event_id or None),
    ]
    where = " ".join(f"{name} {value}" for name, value in places if value is not None)
    click.echo(f"{finding.kind:<14} {where}: {finding.text}")


def _close(bus: Bus, store: Store, verification: Verification, as_json: bool) -> int:
    # Here, since it loads Celery, which a look alone does not need.
    from tasks.chat import close_lost

    total = 0
    for message_id, starts in verification.lost.items():
        written = close_lost(bus, store, message_id, [start.identity() for start in starts])
        total += written
        if as_json:
            click.echo(json.dumps({"kind": "closed", "message_id": message_id, "events": written}))
        else:
            click.echo(f"{'closed':<14} message {message_id}: {written} events written")
    return total


def _summarise(seen: int, counts: collections.Counter[str], closed: int | None, as_json: bool) -> None:
    if as_json:
        summary = {"kind": "summary", "events": seen, "findings": dict(counts)}
        click.echo(json.dumps(summary if closed is None else {**summary, "closed": closed}))
        return
    found = ", ".join(f"{count} {kind}" for kind, count in counts.most_common()) or "nothing is wrong"
    click.echo(f"{seen} events: {found}" + ("" if closed is None else f"; {closed} events written to close"))

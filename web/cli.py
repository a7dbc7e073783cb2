"""The commands: `spanfeed …`, and the same under `flask --app web …`. What a command needs is imported when it runs."""

from __future__ import annotations

import logging
import sys

import click

from pipeline import redaction_logs
from pipeline import settings as settings_table
from pipeline.errors import SettingError
from pipeline.redaction import redactor_of
from pipeline.settings import Settings
from web.commands.admin import admin
from web.commands.audit import audit
from web.commands.db import db
from web.commands.doctor import doctor
from web.commands.documents import documents
from web.commands.event_types import event_types
from web.commands.events import events
from web.commands.handlers import handlers
from web.commands.keys import keys
from web.commands.opened import explained
from web.commands.verify import verify


def _load() -> Settings:
    settings = settings_table.load()
    redaction_logs.install(redactor_of(settings))
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spanfeed")
def main() -> None:
    """Spanfeed shows what a chat backend is doing, live, and never loses it."""


@main.command()
@explained
def up() -> None:
    """Start everything, watch over it, end it together."""
    from web.up.command import up as start

    sys.exit(start(settings_table.load()))


@main.command()
@explained
def record() -> None:
    """Store the events of the bus in the database, until told to stop."""
    from pipeline.bus import open_bus
    from pipeline.store import open_store
    from web.recorder import run_until_signal

    settings = _load()
    run_until_signal(settings, open_bus(settings), open_store(settings))


@main.command()
@click.option(
    "--number", type=click.IntRange(min=0), default=0, help="Which of the relays this is; the first one is 0."
)
@click.option("--replace", is_flag=True, help="Have the relay that runs start its successor, and wait for that.")
@click.option("--kept", is_flag=True, help="Given by a relay to its successor: its parent looks after it.")
@explained
def relay(number: int, replace: bool, kept: bool) -> None:
    """Serve the open feeds whose sockets web processes hand over, until told to stop.

    Takes over the feeds of the relay that runs already.
    """
    from web.relay.process import run_until_signal
    from web.relay.replacing import replaced
    from web.relay.sockets import are_possible

    if not are_possible():
        raise SettingError("A relay needs Linux; without one, threads of the web processes serve the feeds")
    if replace:
        click.echo(replaced(_load(), number))
    else:
        run_until_signal(_load(), number, kept)


@main.command()
@click.option("--queues", default="", help="Queues to consume, separated by commas; default: all.")
@click.option("--name", default="", help="The worker's name.")
@click.option("--concurrency", type=int, default=None, help="Children; default: the setting.")
@explained
def worker(queues: str, name: str, concurrency: int | None) -> None:
    """Run a Celery worker for the stages."""
    from web.up.worker import exec_worker

    exec_worker(settings_table.load(), [q for q in queues.split(",") if q], name, concurrency)


@main.command()
@explained
def deliver() -> None:
    """Carry events to those who have subscribed to them, by webhook and e-mail."""
    from web.up.worker import exec_deliver

    exec_deliver(settings_table.load())


@main.command()
@explained
def beat() -> None:
    """Run Celery's scheduler."""
    from web.up.worker import exec_beat

    exec_beat(settings_table.load())


@main.command()
@explained
def flower() -> None:
    """Run Flower on loopback, behind a password."""
    from web.up.flower import exec_flower

    exec_flower(settings_table.load())


events.add_command(verify)
main.add_command(handlers)


def register_commands(group: click.Group) -> None:
    """Adds what is useful under `flask --app web`, too."""
    for command in (admin, audit, db, doctor, documents, event_types, events, keys):
        group.add_command(command)


register_commands(main)

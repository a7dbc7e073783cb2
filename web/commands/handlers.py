"""`spanfeed handlers`: running durable handlers of one's own, and looking after their cursors."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from pathlib import Path

import click

from pipeline import settings as settings_table
from pipeline.errors import SettingError
from web.commands.opened import explained

_DEAD_SHOWN = 5


@click.group()
def handlers() -> None:
    """Durable handlers of your own."""


@handlers.command()
@click.option("--module", "modules", multiple=True, required=True, help="A Python module that adds them; repeatable.")
@explained
def run(modules: tuple[str, ...]) -> None:
    """Call durable handlers for what is in the log, until told to stop."""
    from pipeline.bus import open_bus
    from pipeline.unified import event_router, initialize_event_system, shutdown_event_system
    from pipeline.unified.durable import DurableHandlers

    settings = settings_table.load()
    sys.path.insert(0, str(Path.cwd()))
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise SettingError(f"--module {name}: {error}") from None
    found = event_router.handlers.durable()
    if not found:
        raise SettingError(f"{', '.join(modules)} adds no durable handler: add_type_handler(…, durable='a-name')")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    initialize_event_system(settings)
    bus = open_bus(settings)
    running = DurableHandlers(settings, bus, found)
    running.start()
    click.echo(f"Handling: {', '.join(str(one.durable) for one in found)}")
    stopped.wait()
    running.stop()
    shutdown_event_system()
    bus.close_connections()


@handlers.command(name="list")
@explained
def list_handlers() -> None:
    """Show the cursors: what waits, what was given up, whether events were lost."""
    from pipeline.bus import open_bus

    bus = open_bus(settings_table.load())
    for one in bus.handler_log.facts():
        lost = "; the log has let events go that it had not had" if one.lost else ""
        click.echo(f"{one.name}: {one.waiting} wait, {one.pending} in hand, {one.dead} given up{lost}")
        for entry_id, reason in bus.handler_log.dead(one.name, _DEAD_SHOWN):
            click.echo(f"  {entry_id}  {reason}")
    bus.close_connections()


@handlers.command()
@click.argument("name")
@explained
def forget(name: str) -> None:
    """Take a cursor away, so that the log keeps nothing for it."""
    from pipeline.bus import open_bus

    bus = open_bus(settings_table.load())
    gone = bus.handler_log.forget(name)
    bus.close_connections()
    if not gone:
        raise click.ClickException("There is no durable handler of this name.")
    click.echo(f"{name} forgotten")

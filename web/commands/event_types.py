"""`spanfeed event-types`: the event types of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from web.commands.audited import OBJECT_ID, audited
from web.commands.opened import explained, opened


@click.group(name="event-types")
def event_types() -> None:
    """The event types of your own."""


@event_types.command(name="list")
@explained
def list_types() -> None:
    """List them."""
    from pipeline.store import event_types as kept

    _, store = opened()
    for one in kept.listed(store):
        click.echo(f"{one.name}: {one.category}, {one.priority}, for {one.audience}")


@event_types.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@explained
def add(file: Path) -> None:
    """Define a type as a JSON file says; one of the same name is replaced."""
    import orjson
    from pydantic import ValidationError

    from web.errors import Problem
    from web.event_types import Definition, EventTypes, own_type

    settings, store = opened()
    try:
        made = own_type(Definition.model_validate(orjson.loads(file.read_bytes())), "command")
        with audited(store, "event_type.save", "event_type") as details:
            details[OBJECT_ID] = made.name
            new = EventTypes(settings, store).save(made)
    except (ValidationError, ValueError) as error:
        raise click.ClickException(f"{file.name} cannot be used: {' '.join(str(error).split())}") from None
    except Problem as problem:
        detail = problem.detail
        said = detail if isinstance(detail, str) else f"{detail[0]['loc'][-1]} {detail[0]['msg']}"
        raise click.ClickException(f"{file.name} cannot be used: {said}") from None
    click.echo(f"{made.name} {'added' if new else 'replaced'}")


@event_types.command()
@click.argument("name")
@explained
def remove(name: str) -> None:
    """Remove a type; stored events of it stay."""
    from pipeline.store import event_types as kept

    _, store = opened()
    with audited(store, "event_type.delete", "event_type", name):
        if not kept.remove(store, name):
            raise click.ClickException("There is no such event type.")
    click.echo(f"{name} removed")

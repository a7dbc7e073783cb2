"""Telling the audit trail what a command did, by whom and how it ended."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import SpanfeedError, StoreUnavailable

if TYPE_CHECKING:
    from pipeline.store import Store

OBJECT_ID = "object_id"
"""The detail that becomes the entry's object, where it is known only when the work is done."""


@contextlib.contextmanager
def audited(store: Store, action: str, object_type: str, object_id: str | None = None) -> Iterator[dict[str, Any]]:
    """Adds an entry when the block ends: `done`, or `failed` with the error's class. The block fills the details.

    Where there is a Redis, operators are told, too. Where the entry cannot be written, standard error says so and the
    command goes on: an installation whose database is down must be mended with these commands.
    """
    details: dict[str, Any] = {}
    try:
        yield details
    except StoreUnavailable:
        # Nothing was done, and the trail lies in the same database.
        raise
    except Exception as error:
        details["error"] = type(error).__name__
        _add(store, action, object_type, details.pop(OBJECT_ID, object_id), "failed", details)
        raise
    _add(store, action, object_type, details.pop(OBJECT_ID, object_id), "done", details)


def _add(
    store: Store, action: str, object_type: str, object_id: str | None, outcome: str, details: dict[str, Any]
) -> None:
    # Commands that only look must not wait for these to be loaded.
    from pipeline.store import inspect
    from pipeline.unified import EventRouter, EventSystem
    from pipeline.unified.acts import Act, tell_act, write_act

    act = Act(actor(), action, object_type, object_id, outcome, details)
    try:
        file = inspect.file_of(store.settings)
        if file is not None and not file.exists():
            # Nothing was ever started here: there is no trail, and none must be begun without its table.
            return
        entry = write_act(store, act)
    except SpanfeedError as error:
        click.echo(f"The audit trail has no entry of this: {error}", err=True)
        return
    if store.settings.redis_url:
        events = EventSystem(EventRouter(), store.settings)
        tell_act(events, act, entry)
        events.shutdown()


def actor() -> str:
    """Who runs this command: the system's user."""
    number = os.getuid()
    try:
        return f"os:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"os:{number}"

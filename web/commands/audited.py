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


@contextlib.contextmanager
def audited(store: Store, action: str, object_type: str, object_id: str | None = None) -> Iterator[dict[str, Any]]:
    """Adds an entry when the block ends: `done`, or `failed` with the error's class. The block fills the details.

    Where the entry cannot be written, standard error says so and the command goes on: an installation whose database
    is down must be mended with these commands.
    """
    details: dict[str, Any] = {}
    try:
        yield details
    except StoreUnavailable:
        # Nothing was done, and the trail lies in the same database.
        raise
    except Exception as error:
        _add(store, action, object_type, object_id, "failed", {**details, "error": type(error).__name__})
        raise
    _add(store, action, object_type, object_id, "done", details)


def _add(
    store: Store, action: str, object_type: str, object_id: str | None, outcome: str, details: dict[str, Any]
) -> None:
    from pipeline.store import audit, inspect

    try:
        file = inspect.file_of(store.settings)
        if file is not None and not file.exists():
            # Nothing was ever started here: there is no trail, and none must be begun without its table.
            return
        audit.record(store, actor(), action, object_type, object_id, outcome, details)
    except SpanfeedError as error:
        click.echo(f"The audit trail has no entry of this: {error}", err=True)


def actor() -> str:
    """Who runs this command: the system's user."""
    number = os.getuid()
    try:
        return f"os:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"os:{number}"

"""What commands open, and how they explain an error."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline import settings as settings_table
from pipeline.errors import SpanfeedError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.store import Store

F = TypeVar("F", bound=Callable[..., Any])


def explained(command: F) -> F:
    """Turns Spanfeed's errors into one sentence and exit status 1."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except SpanfeedError as error:
            raise click.ClickException(settings_table.load().hide_secrets(str(error))) from None

    return run  # type: ignore[return-value]


def opened() -> tuple[Settings, Store]:
    """The settings and the database they name. Raises SettingError."""
    from pipeline.store import open_store

    settings = settings_table.load()
    return settings, open_store(settings)

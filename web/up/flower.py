"""Flower's command line and its password, which no list of processes shows."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from pipeline.errors import SettingError
from pipeline.settings import Settings
from web.up import home
from web.up.keys import with_secrets
from web.up.launch import CELERY, become

_TASKS_KEPT = 10_000


def flower_argv(settings: Settings) -> tuple[str, ...]:
    """Flower on loopback: two of its pages answer without a password."""
    options = ("--address=127.0.0.1", f"--port={settings.flower_port}", f"--max-tasks={_TASKS_KEPT}")
    return (*CELERY, "flower", *options, "--logging=warning")


def flower_environment(settings: Settings) -> dict[str, str]:
    """The variable that holds Flower's user and password.

    Raises SettingError for a character that Flower would misread.
    """
    user, password = settings.flower_user, settings.flower_password
    if not f"{user}{password}".isascii() or "," in f"{user}{password}" or ":" in user:
        raise SettingError(
            "SPANFEED_FLOWER_PASSWORD and SPANFEED_FLOWER_USER must be ASCII without a comma, the user without a colon"
        )
    return {"FLOWER_BASIC_AUTH": f"{user}:{password}"}


def exec_flower(settings: Settings, directory: Path | None = None) -> NoReturn:
    """Become Flower. Raises SettingError when there is no Redis to look at."""
    home.prepare(settings)
    settings = with_secrets(settings)
    become(flower_argv(settings), settings, directory, flower_environment(settings))

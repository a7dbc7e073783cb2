"""How a program of Spanfeed's is run: where, with which interpreter, with which environment."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from pipeline.errors import SettingError
from pipeline.settings import Settings, read_environment_file
from web.up import redis_server

ROOT = Path(__file__).resolve().parents[2]
CELERY = (sys.executable, "-m", "celery", "-A", "tasks")
STAGES = (sys.executable, "-m", "tasks")
"""Celery's worker and scheduler alone, which start sooner."""


def script(name: str) -> str:
    """The path of a command that is installed beside the interpreter."""
    return str(Path(sys.executable).with_name(name))


def child_environment(settings: Settings, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with the settings over it, and `more` over both.

    Passed on as it is, not read: what a setting means is `pipeline.settings`' business alone.
    """
    fixed = {"SPANFEED_HOME": str(settings.home_path), "PYTHONUNBUFFERED": "1"}
    # OpenTelemetry's exporter reads its own variables: those of a .env file must reach it, too.
    given = {**read_environment_file(Path(Settings.ENVIRONMENT_FILE)), **os.environ}
    return {**given, **settings.environment(), **fixed, **(more or {})}


def connected(settings: Settings) -> Settings:
    """`settings` with the address of the running `spanfeed up`'s private Redis where none is given.

    Raises SettingError when there is neither.
    """
    if settings.redis_url:
        return settings
    url = redis_server.running_url(settings.home_path)
    if url is None:
        raise SettingError("REDIS_URL is empty and no `spanfeed up` runs in this home folder; set it, or start that")
    return dataclasses.replace(settings, redis_url=url)


def become(
    argv: tuple[str, ...], settings: Settings, directory: Path | None, more: Mapping[str, str] | None = None
) -> NoReturn:
    """Replace this process by `argv`, run in `directory` (the checkout when None).

    Raises SettingError when there is no Redis.
    """
    environment = child_environment(connected(settings), more)
    os.chdir(directory or ROOT)
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - a list: no shell reads it  # nosec

"""The command lines of Celery's workers and its scheduler, from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pipeline.errors import SettingError
from pipeline.settings import Settings
from web.up.launch import STAGES, become


def worker_argv(
    settings: Settings, queues: Sequence[str] = (), name: str = "", concurrency: int | None = None
) -> tuple[str, ...]:
    """Celery's worker; no `queues`: all of them.

    Without mingle and gossip: they cost a second at the start, and nothing here listens to them.
    """
    argv = [*STAGES, "worker", "--task-events", "--without-mingle", "--without-gossip"]
    argv += [f"--loglevel={settings.log_level.upper()}"]
    argv += [f"--concurrency={settings.worker_processes if concurrency is None else concurrency}"]
    argv += [f"--hostname={name or 'worker'}@%h"]
    if queues:
        argv += [f"--queues={','.join(queues)}"]
    return tuple(argv)


def deliver_argv(settings: Settings) -> tuple[str, ...]:
    """The worker that carries events to subscribers: threads, since it waits for others nearly all the time."""
    threads = max(1, settings.delivery_threads)
    return (*worker_argv(settings, ["spanfeed.deliveries"], "deliver", threads), "--pool=threads")


def beat_argv(settings: Settings) -> tuple[str, ...]:
    """Celery's scheduler; what it remembers between starts lies in the home folder."""
    schedule = settings.home_path / "beat-schedule"
    return (*STAGES, "beat", f"--schedule={schedule}", f"--loglevel={settings.log_level.upper()}")


def exec_worker(
    settings: Settings,
    queues: Sequence[str] = (),
    name: str = "",
    concurrency: int | None = None,
    directory: Path | None = None,
) -> NoReturn:
    """Become a worker. Raises SettingError when there is no Redis to work for."""
    become(worker_argv(settings, queues, name, concurrency), settings, directory)


def exec_deliver(settings: Settings, directory: Path | None = None) -> NoReturn:
    """Become the worker of deliveries. Raises SettingError without a Redis, or without a key to sign webhooks with."""
    if not settings.secret_key:
        raise SettingError("SPANFEED_SECRET_KEY is not set: webhooks cannot be signed")
    become(deliver_argv(settings), settings, directory)


def exec_beat(settings: Settings, directory: Path | None = None) -> NoReturn:
    """Become the scheduler. Raises SettingError when there is no Redis to work for."""
    become(beat_argv(settings), settings, directory)

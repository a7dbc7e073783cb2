"""How both sides say that a run is over: the last task pushes the message's id onto a list, after its own end."""

from __future__ import annotations

import functools
import os
from typing import Any

import redis
from celery import Task, signals

DONE = "benchmark.done"
READY = "benchmark: consuming"


@signals.worker_ready.connect(weak=False)
def _say_so(**_: Any) -> None:
    print(READY, flush=True)


@functools.cache
def _client(pid: int) -> redis.Redis:
    return redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=10)


class LastTask(Task):  # type: ignore[misc]
    """The base of a run's last task. Its arguments are the session's id and the message's."""

    abstract = True

    def after_return(self, status: str, result: Any, task_id: str, args: Any, kwargs: Any, info: Any) -> None:
        """Celery calls this when the task is over: for a stage that is behind its `end` script."""
        _client(os.getpid()).rpush(DONE, args[1])

"""The peer: a bare canvas chain of six tasks that do nothing (`celery -A benchmarks.noop_chain`)."""

from __future__ import annotations

import uuid
from typing import Any

from celery import Celery, Task, chain

from benchmarks.finish import LastTask

NAMES = tuple(f"bare{number}" for number in range(1, 7))

app = Celery("bare")
app.config_from_object("celeryconfig")


def _declare(name: str, base: type[Task]) -> Any:
    def nothing(session_id: str, message_id: str) -> None:
        """Does nothing."""

    return app.task(nothing, name=f"bare.{name}", base=base)


TASKS = [_declare(name, LastTask if name == NAMES[-1] else Task) for name in NAMES]


class Submitter:
    """Sends chains: to a queue for each task, as the stages have them, or all to one."""

    name = "bare canvas chain"

    def __init__(self, one_queue: bool = False) -> None:
        self._queues = ["bare.all"] * len(NAMES) if one_queue else [f"bare.{name}" for name in NAMES]

    @property
    def queues(self) -> tuple[str, ...]:
        """What its worker is to consume."""
        return tuple(dict.fromkeys(self._queues))

    def submit(self) -> str:
        """Sends one chain and gives the id that its last task will tell."""
        ids = (str(uuid.uuid4()), str(uuid.uuid4()))
        signatures = [task.si(*ids).set(queue=queue) for task, queue in zip(TASKS, self._queues, strict=True)]
        chain(*signatures).apply_async()
        return ids[1]

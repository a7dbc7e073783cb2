"""The task that serves one subscription, and what a worker of its queue has beside it: the feeder.

The queue is none of those that an ordinary worker takes from: a slow receiver must not hold up a stage of the chat.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from celery import bootsteps

from pipeline import settings as settings_table
from pipeline.alerting.evaluating import Evaluator
from pipeline.bus import open_bus
from pipeline.errors import SettingError
from pipeline.store import open_store
from pipeline.subscriptions.delivering import Deliverer
from pipeline.subscriptions.feeding import Feeder
from pipeline.unified import unified_event_manager
from tasks.broker import broker
from tasks.celery import app

QUEUE = "spanfeed.deliveries"
_TASK = "spanfeed.deliver"
_MESSAGE_SECONDS = 60
"""A message that waited for longer is of no use: another was sent."""


@functools.cache
def _deliverer(_pid: int) -> Deliverer:
    settings = settings_table.load()
    return Deliverer(settings, open_store(settings), unified_event_manager)


@app.task(name=_TASK, ignore_result=True)
def deliver(subscription_id: str) -> None:
    """Delivers what is due for a subscription."""
    _deliverer(os.getpid()).serve(subscription_id)


def send(subscription_id: str) -> None:
    """Has a worker serve the subscription. Raises BusUnavailable."""
    broker().publish(_TASK, args=[subscription_id], queue=QUEUE, expires=_MESSAGE_SECONDS)


class Feeding(bootsteps.StartStopStep):
    """Feeds deliveries, and looks at alert rules, beside a worker that takes from the queue of deliveries."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._running: list[Feeder | Evaluator] = []

    def include_if(self, worker: Any) -> bool:
        """Only there."""
        return QUEUE in worker.app.amqp.queues.consume_from

    def start(self, worker: Any) -> None:
        """Celery calls this when the worker starts. Raises SettingError without a key, and for bad alert rules."""
        settings = settings_table.load()
        if not settings.secret_key:
            raise SettingError("SPANFEED_SECRET_KEY is not set: webhooks cannot be signed")
        bus, store = open_bus(settings), open_store(settings)
        feeder = Feeder(settings, bus, store, send)
        self._running = [feeder, Evaluator(settings, bus, store, unified_event_manager)]
        for one in self._running:
            one.start()

    def stop(self, worker: Any) -> None:
        """Celery calls this when the worker ends."""
        _deliverer(os.getpid()).stop()
        for one in self._running:
            one.stop()


app.steps["worker"].add(Feeding)

"""A worker says every few seconds that it lives, from its main process."""

from __future__ import annotations

import functools
import logging
import os
import socket
from typing import Any

from celery import signals

from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from pipeline.errors import SpanfeedError

logger = logging.getLogger(__name__)


@functools.cache
def _bus(_pid: int) -> Bus:
    return open_bus(settings_table.load())


@signals.heartbeat_sent.connect(weak=False)
def say_present(sender: Any, **_: Any) -> None:
    """With each of Celery's heartbeats, every 2 seconds; it ends with the worker's warm shutdown."""
    name = getattr(getattr(sender, "eventer", None), "hostname", None) or f"worker@{socket.gethostname()}"
    try:
        _bus(os.getpid()).say_present(str(name))
    except SpanfeedError as error:
        logger.debug("this worker could not say that it lives: %s", error)

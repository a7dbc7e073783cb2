"""How the system stands at this moment: feeds, queues, recorder, Redis, workers. No Flask."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

from pipeline.bus import Bus
from pipeline.bus.inspect import Inspection
from pipeline.errors import SpanfeedError
from pipeline.settings import Settings
from tasks.chat import QUEUES
from web.event_statistics import open_feeds
from web.operations.feed_lag import FeedLag


def gauges(settings: Settings, bus: Bus, processes: Sequence[dict[str, Any]], lag: FeedLag) -> dict[str, Any]:
    """All of it; what cannot be known at the moment, Redis away, is None."""
    return {
        "connections": open_feeds(processes),
        "feeds_behind": sum(process.get("gauges", {}).get("behind", 0) for process in processes),
        "feed_lag_ms": lag.look(processes, time.monotonic()),
        **_of_redis(settings, bus),
    }


def _of_redis(settings: Settings, bus: Bus) -> dict[str, Any]:
    found: dict[str, Any] = {"queues": None, "recorder": None, "redis": None, "workers": None}
    with contextlib.suppress(SpanfeedError):
        found["workers"] = {"alive": len(bus.workers(settings.worker_silence_seconds))}
        if settings.celery_broker_url == settings.redis_url:
            found["queues"] = bus.queue_lengths(QUEUES)
        inspection = Inspection(settings.redis_url)
        try:
            log, server = inspection.log(), inspection.server()
            behind_us = 0 if log.unstored_from is None else max(0, inspection.now_id() - log.unstored_from)
        finally:
            inspection.close()
        found["recorder"] = {"waiting_events": log.waiting, "lag_ms": round(behind_us / 1000)}
        found["redis"] = {"memory_bytes": server.memory_bytes, "memory_limit_bytes": server.memory_limit_bytes}
    return found

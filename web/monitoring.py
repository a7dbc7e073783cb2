"""Telling operators at intervals how the system is: workers, queues, recorder, Redis, relays. No Flask."""

from __future__ import annotations

import logging
import threading
from typing import Any

from pipeline.bus import Bus
from pipeline.bus.inspect import Inspection
from pipeline.errors import SpanfeedError
from pipeline.event import Category
from pipeline.settings import Settings
from pipeline.unified import EventSystem, UnifiedEvent, event_router
from tasks.chat import QUEUES
from web import metrics_door
from web.relay import orders, sockets

logger = logging.getLogger(__name__)
_TURN = "monitoring"
_LONGEST_WAIT_SECONDS = 1.0


class Monitor:
    """Looks in a thread of its own; of several processes the one that takes the turn looks. `stop` ends it."""

    def __init__(self, settings: Settings, bus: Bus) -> None:
        self._settings = settings
        self._bus = bus
        self._events = EventSystem(event_router, settings, bus)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self.run, name="monitor", daemon=True)

    def start(self) -> None:
        """Runs in a thread of its own; where the interval is 0, not at all."""
        if self._settings.monitoring_interval_seconds:
            self._thread.start()

    def stop(self) -> None:
        """Ends it after the look at hand."""
        self._stopped.set()

    def run(self) -> None:
        """Looks again and again."""
        interval = self._settings.monitoring_interval_seconds
        # More often than it looks: another process may have taken the turn, and be gone.
        while not self._stopped.wait(min(interval, _LONGEST_WAIT_SECONDS)):
            try:
                self.look()
            except SpanfeedError as error:
                logger.warning("how the system is could not be told: %s", error)
            except Exception:
                logger.exception("the monitor stumbled")

    def look(self) -> bool:
        """Tells how the system is, when nobody has in the interval; whether it has. Raises BusUnavailable."""
        if not self._bus.take_turn(_TURN, self._settings.monitoring_interval_seconds):
            return False
        found = self.figures()
        self._events.emit_event(UnifiedEvent(Category.MONITORING, "system.status", data=found))
        return True

    def figures(self) -> dict[str, Any]:
        """What is told. Raises BusUnavailable or BusRefused."""
        settings = self._settings
        workers = self._bus.workers(settings.worker_silence_seconds)
        recorder, redis = self._of_redis()
        relays = self._relays()
        troubles = [
            name
            for name, there in (
                ("no_worker", not workers),
                ("recorder_behind", recorder["waiting_events"] >= settings.recorder_alarm_events),
                ("relay_missing", relays["answering"] < relays["expected"]),
            )
            if there
        ]
        found: dict[str, Any] = {
            "status": "degraded" if troubles else "ok",
            "troubles": troubles,
            "workers": {"alive": len(workers), "names": workers},
            "recorder": recorder,
            "redis": redis,
            "relays": relays,
        }
        if settings.celery_broker_url == settings.redis_url:
            found["queues"] = self._bus.queue_lengths(QUEUES)
        return found

    def _of_redis(self) -> tuple[dict[str, Any], dict[str, Any]]:
        inspection = Inspection(self._settings.redis_url)
        try:
            log, server = inspection.log(), inspection.server()
            oldest = log.unstored_from
            behind_us = 0 if oldest is None else max(0, inspection.now_id() - oldest)
        finally:
            inspection.close()
        recorder = {
            "waiting_events": log.waiting,
            "behind_ms": round(behind_us / 1000),
            "dropped_events": self._bus.log.dropped(),
        }
        return recorder, {"memory_bytes": server.memory_bytes, "memory_limit_bytes": server.memory_limit_bytes}

    def _relays(self) -> dict[str, int]:
        """The relays of this machine together."""
        expected = self._settings.relays if sockets.are_possible() else 0
        found = {"expected": expected, "answering": 0, "open_feeds": 0, "deliveries": 0, "feeds_behind": 0}
        for number in range(expected):
            try:
                place = sockets.folder(self._settings.home_path)
                figures = metrics_door.figures_at(place, orders.name_of(number))
            except (OSError, ValueError):
                continue
            counts = figures.get("counts", {})
            opened = sum(counts.get(f"opened:{way}", 0) - counts.get(f"ended:{way}", 0) for way in ("ws", "sse"))
            found["answering"] += 1
            found["open_feeds"] += opened
            found["deliveries"] += counts.get("delivered", 0)
            found["feeds_behind"] += figures.get("gauges", {}).get("behind", 0)
        return found

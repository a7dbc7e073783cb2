"""Alarms about the log itself: it is full and drops events, or has let events go that a durable handler needed."""

from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any

from pipeline.bus import Bus, keys
from pipeline.errors import BusUnavailable
from pipeline.event import Category, Identity, Priority, State
from pipeline.settings import Settings

logger = logging.getLogger(__name__)
_LOOK_EVERY_SECONDS = 1.0
_OVER_SHARE = 0.9
"""The log is not full any more when it has no more than this share of its limit."""


class LogAlarms:
    """Redis remembers what was told, so of several recorders one tells it."""

    def __init__(self, settings: Settings, bus: Bus) -> None:
        self._limit = settings.log_limit_events
        self._bus = bus
        self._look_at = 0.0

    def look(self) -> None:
        """Looks, at most once a second. Raises BusUnavailable."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_EVERY_SECONDS
        self._tell_lost()
        length = self._bus.log.length()
        if length >= self._limit:
            self._raise(length)
        elif length <= self._limit * _OVER_SHARE:
            self._clear(length)

    def _tell_lost(self) -> None:
        lost = self._bus.log.newly_lost
        while lost:
            sentence = f"Durable handler {lost[0]} is too far behind: the log has let events go that it has not had."
            self._tell(Priority.HIGH, sentence, {"alert": "handler_behind", "state": "raised", "handler": lost[0]})
            lost.pop(0)

    def _raise(self, length: int) -> None:
        dropped = self._bus.log.dropped()
        if not self._bus.log.raise_alarm(json.dumps({"dropped": dropped}), keys.FULL):
            return
        sentence = f"The log is full ({length} events): progress, spans and events without a status are dropped."
        try:
            self._tell(Priority.CRITICAL, sentence, {"alert": "log_full", "state": "raised", "length": length})
        except BusUnavailable:
            self._bus.log.clear_alarm(keys.FULL)
            raise
        logger.error("%s", sentence)

    def _clear(self, length: int) -> None:
        note = self._bus.log.clear_alarm(keys.FULL)
        if note is None:
            return
        dropped = self._bus.log.dropped() - int(json.loads(note)["dropped"])
        sentence = f"The log has room again; {dropped} events were dropped meanwhile."
        data = {"alert": "log_full", "state": "resolved", "length": length, "dropped": dropped}
        try:
            self._tell(Priority.HIGH, sentence, data)
        except BusUnavailable:
            self._bus.log.raise_alarm(note, keys.FULL)
            raise
        logger.warning("%s", sentence)

    def _tell(self, priority: Priority, sentence: str, data: dict[str, Any]) -> None:
        identity = Identity("system.alert", Category.MONITORING, priority, source_system="monitoring")
        self._bus.append(identity, State(None, sentence, data), emitter_key=uuid.uuid4().hex, audience="operator")

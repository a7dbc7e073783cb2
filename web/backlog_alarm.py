"""The alarm when recorders are behind: an event for operators and a line in the log, once when it begins and ends."""

from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable
from pipeline.event import Category, Identity, Priority, State
from pipeline.settings import Settings

logger = logging.getLogger(__name__)
_LOOK_EVERY_SECONDS = 1.0


class BacklogAlarm:
    """Looks after the backlog; Redis remembers that it was told, so of several recorders one tells it."""

    def __init__(self, settings: Settings, bus: Bus) -> None:
        self._raised_at_events = settings.recorder_alarm_events
        self._over_at_events = min(settings.recorder_alarm_over_events, settings.recorder_alarm_events - 1)
        self._bus = bus
        self._look_at = 0.0

    def look(self, database_away: bool) -> None:
        """Looks, at most once a second. Raises BusUnavailable."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_EVERY_SECONDS
        backlog = self._bus.log.backlog()
        if backlog >= self._raised_at_events:
            self._raise(backlog, database_away)
        elif backlog <= self._over_at_events:
            self._clear(backlog)

    def _raise(self, backlog: int, database_away: bool) -> None:
        dropped = self._bus.log.dropped()
        if not self._bus.log.raise_alarm(json.dumps({"dropped": dropped})):
            return
        cause = "the database does not answer" if database_away else "it is slower than events come"
        sentence = f"The recorder is {backlog} events behind: {cause}."
        try:
            self._tell(Priority.CRITICAL if database_away else Priority.HIGH, sentence, "raised", backlog=backlog)
        except BusUnavailable:
            self._bus.log.clear_alarm()
            raise
        logger.error("%s", sentence)

    def _clear(self, backlog: int) -> None:
        note = self._bus.log.clear_alarm()
        if note is None:
            return
        dropped = self._bus.log.dropped() - int(json.loads(note)["dropped"])
        sentence = f"The recorder has caught up; {dropped} events were dropped meanwhile."
        try:
            # As high as the alarm itself: whoever was told of that must be told of this.
            self._tell(Priority.HIGH, sentence, "resolved", backlog=backlog, dropped=dropped)
        except BusUnavailable:
            self._bus.log.raise_alarm(note)
            raise
        logger.warning("%s", sentence)

    def _tell(self, priority: Priority, sentence: str, state: str, **data: Any) -> None:
        identity = Identity("system.alert", Category.MONITORING, priority, source_system="monitoring")
        event = State(None, sentence, {"alert": "recorder_backlog", "state": state, **data})
        self._bus.append(identity, event, emitter_key=uuid.uuid4().hex, audience="operator")

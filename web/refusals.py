"""Telling operators of refused keys, tokens and passwords, and of an address that tries too many."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from typing import Any

from pipeline.breaker import Breaker
from pipeline.bus import Bus
from pipeline.catalog import Audience
from pipeline.errors import SpanfeedError
from pipeline.event import Category, Priority
from pipeline.settings import Settings
from pipeline.unified import EventSystem, UnifiedEvent
from pipeline.unified.system import Wish

logger = logging.getLogger(__name__)
BRUTE_FORCE = "suspicious.brute_force"
_MINUTE_SECONDS = 60.0
_UNCOUNTED_SHARE = 10
_FOR_OPERATORS = Audience.OPERATOR


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A refused sign-in: the event's type, why, and who it claims to be where that is known and no secret.

    `guessed`: somebody may be trying what opens; a token that has simply run out is no guess.
    """

    event_type: str
    reason: str
    who: dict[str, str] = dataclasses.field(default_factory=dict)
    guessed: bool = True


class Refusals:
    """Of one web process; Redis counts for all of them. Nothing that a client sent stands in an event."""

    def __init__(self, settings: Settings, bus: Bus, events: EventSystem) -> None:
        self._bus = bus
        self._events = events
        self._limit = settings.auth_failures_limit
        self._window_seconds = max(1, settings.auth_failures_window_seconds)
        self._room = _Room(settings.auth_events_per_minute)
        # While nobody counts, what is told waits in the spool, which others need.
        self._room_uncounted = _Room(settings.auth_events_per_minute // _UNCOUNTED_SHARE)
        self._breaker = Breaker(settings.breaker_failures_limit, settings.breaker_open_ms / 1000)

    def tell(self, refusal: Refusal, where: dict[str, Any]) -> None:
        """Counts and tells one; `where` has `ip_address`, and what else is known of the request. Never raises.

        Of one address at most as many are told in a window as are too many; then one event says that.
        """
        address = str(where["ip_address"])
        counted = self._counted(address) if refusal.guessed else (False, False)
        told_before, too_many = counted or (False, False)
        room = self._room if counted else self._room_uncounted
        if told_before or not room.take():
            return
        data = {**where, **refusal.who, "success": False, "reason": refusal.reason}
        key = "" if refusal.guessed else f"{refusal.event_type}:{refusal.reason}:{address}:{self._window()}"
        priority = Priority.HIGH if refusal.guessed else Priority.NORMAL
        self._tell(refusal.event_type, data, priority, key)
        if too_many:
            seconds = self._window_seconds
            found = {"activity_type": "brute_force", "attempts": self._limit, "window_seconds": seconds}
            self._tell(BRUTE_FORCE, {**where, **found, "last": refusal.event_type}, Priority.CRITICAL, "")

    def _counted(self, address: str) -> tuple[bool, bool] | None:
        """As `Bus.failed_sign_in`; None while Redis does not answer."""
        if not self._breaker.allows():
            return None
        try:
            found = self._bus.failed_sign_in(address, self._limit, self._window_seconds)
        except SpanfeedError as error:
            self._breaker.failed()
            logger.warning("a refused sign-in was not counted: %s", error)
            return None
        self._breaker.succeeded()
        return found

    def _window(self) -> int:
        return int(time.time() // self._window_seconds)

    def _tell(self, event_type: str, data: dict[str, Any], priority: Priority, key: str) -> None:
        event = UnifiedEvent(Category.SECURITY, event_type, data=data, priority=priority)
        self._events.emit_event(event, Wish(_FOR_OPERATORS, key=key))


class _Room:
    """How many events more this process may tell in this minute: whoever has many addresses must not fill the log."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._lock = threading.Lock()
        """Keeps the count right between the threads."""
        self._left = per_minute
        self._until = 0.0

    def take(self) -> bool:
        """Whether there is room for one more."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._left, self._until = self._per_minute, time.monotonic() + _MINUTE_SECONDS
            self._left -= 1
            if self._left == -1:
                logger.error("more sign-ins were refused in a minute than are told: the rest is left out")
            return self._left >= 0

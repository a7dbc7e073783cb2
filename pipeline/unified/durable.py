"""Durable handlers: called from the log, at least once for each event, with bounded tries, each at its own pace."""

from __future__ import annotations

import heapq
import logging
import os
import socket
import threading
import time
from collections.abc import Sequence

from pipeline.bus import Bus
from pipeline.bus.log import Entry
from pipeline.errors import BusUnavailable, InvalidEvent, SpanfeedError
from pipeline.event import clean_text
from pipeline.settings import Settings
from pipeline.unified.event import HANDLER_DEPTH, UnifiedEvent
from pipeline.unified.hands import HandlerTimedOut, Hands
from pipeline.unified.registrations import Registration
from pipeline.unified.router import DEPTH, DEPTH_LIMIT

logger = logging.getLogger(__name__)
_READ_ENTRIES = 10
_READ_WAIT_MS = 250
_CLAIM_EVERY_SECONDS = 1.0
_WAITING_LIMIT = 1_000
"""Entries that wait for a further try: with more, no new ones are read."""
_AWAY_SECONDS = 0.5


class DurableHandler:
    """One handler's reading of the log, in a thread of its own."""

    def __init__(self, settings: Settings, bus: Bus, one: Registration) -> None:
        self._settings = settings
        self._log = bus.handler_log
        self._one = one
        self._name = str(one.durable)
        self._consumer = f"{socket.gethostname()}/{os.getpid()}"
        # What a worker was given it handles within this time, or it is gone.
        self._claim_idle_ms = int((settings.handler_timeout_seconds * 2 * _READ_ENTRIES + 2) * 1000)
        self._claim_at = 0.0
        self._waiting: list[tuple[float, str, int, Entry]] = []
        """When an entry is tried again, its id, how often it was tried, the entry."""

    def run(self, stopped: threading.Event) -> None:
        """Handles what comes, until `stopped`."""
        hands = Hands(self._settings.handler_timeout_seconds)
        while not stopped.is_set():
            try:
                self._turn(hands)
            except BusUnavailable as error:
                logger.warning("durable handler %s waits: %s", self._name, error)
                stopped.wait(_AWAY_SECONDS)
            except SpanfeedError:
                logger.exception("durable handler %s stumbled", self._name)
                stopped.wait(_AWAY_SECONDS)
        hands.end()

    def _turn(self, hands: Hands) -> None:
        if time.monotonic() >= self._claim_at:
            self._claim_at = time.monotonic() + _CLAIM_EVERY_SECONDS
            self._log.join(self._name)
            for entry, tries in self._log.claim(self._name, self._consumer, self._claim_idle_ms, _READ_ENTRIES):
                self._handle(hands, entry, tries)
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, entry_id, tries, entry = heapq.heappop(self._waiting)
            self._log.again(self._name, self._consumer, entry_id)
            self._handle(hands, entry, tries + 1)
        if len(self._waiting) < _WAITING_LIMIT:
            for entry in self._log.read_new(self._name, self._consumer, _READ_ENTRIES, _READ_WAIT_MS):
                self._handle(hands, entry, 1)
        else:
            time.sleep(_READ_WAIT_MS / 1000)

    def _handle(self, hands: Hands, entry: Entry, tries: int) -> None:
        """`tries`: this one included. An entry that has killed its worker too often is given up without a call."""
        limit = self._settings.handler_tries_limit
        try:
            event = self._meant(entry)
        except InvalidEvent as error:
            self._give_up(entry, str(error))
            return
        if event is None:
            self._log.acknowledge(self._name, entry.entry_id)
            return
        why = "its workers were lost" if tries > limit else self._call(hands, event)
        if why is None:
            self._log.acknowledge(self._name, entry.entry_id)
        elif tries >= limit:
            self._give_up(entry, why)
        else:
            logger.warning("durable handler %s, try %d at %s: %s", self._name, tries, entry.entry_id, why)
            settings = self._settings
            pause = min(settings.retry_backoff_seconds * 2 ** (tries - 1), settings.retry_backoff_limit_seconds)
            heapq.heappush(self._waiting, (time.monotonic() + pause, entry.entry_id, tries, entry))

    def _meant(self, entry: Entry) -> UnifiedEvent | None:
        """The event if this handler is meant; None also for one that the log has let go, or that goes round."""
        if entry.wire is None:
            logger.error("durable handler %s: the log has let %s go", self._name, entry.entry_id)
            return None
        event = UnifiedEvent.from_wire(entry.wire)
        if not self._one.fits(event):
            return None
        if _depth(event) >= DEPTH_LIMIT:
            logger.error("durable handler %s: handlers emit one another's events, %s", self._name, event.event_type)
            return None
        return event

    def _call(self, hands: Hands, event: UnifiedEvent) -> str | None:
        """Why it could not be handled, None when it was."""
        token = DEPTH.set(_depth(event) + 1)
        try:
            hands.call(self._one.handler, event, None, self._one.hangs)
        except HandlerTimedOut as error:
            return str(error)
        except Exception as error:
            logger.exception("durable handler %s has failed at %s", self._name, event.event_type)
            return clean_text(f"{type(error).__name__}: {error}", 300)
        finally:
            DEPTH.reset(token)
        return None

    def _give_up(self, entry: Entry, why: str) -> None:
        logger.error("durable handler %s gives %s up: %s", self._name, entry.entry_id, why)
        self._log.bury(self._name, entry, why)


def _depth(event: UnifiedEvent) -> int:
    found = event.metadata.get(HANDLER_DEPTH, 0)
    return found if isinstance(found, int) else 0


class DurableHandlers:
    """All durable handlers of a process. Several processes share the events of one name."""

    def __init__(self, settings: Settings, bus: Bus, handlers: Sequence[Registration]) -> None:
        self._stopped = threading.Event()
        self._threads = []
        for one in handlers:
            # Before anything is emitted that the handler must not miss.
            bus.handler_log.join(str(one.durable))
            handler = DurableHandler(settings, bus, one)
            self._threads.append(
                threading.Thread(target=handler.run, args=[self._stopped], name=f"durable-{one.durable}", daemon=True)
            )
        self._patience_seconds = settings.handler_timeout_seconds * 2 + 5

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends behind the events at hand, within twice a handler's time; what is not handled is left to the next."""
        self._stopped.set()
        deadline = time.monotonic() + self._patience_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

"""The event system of one process: from an event as its emitter says it to the bus, and to this process's handlers."""

from __future__ import annotations

import atexit
import dataclasses
import logging
import os
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline import catalog
from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from pipeline.catalog import Audience
from pipeline.context import audience_of, trace_of
from pipeline.emitter import Emitter
from pipeline.errors import BusUnavailable, SpanfeedError
from pipeline.event import Identity, State, clean_text
from pipeline.settings import Settings
from pipeline.unified.check import check_event
from pipeline.unified.counts import Counts
from pipeline.unified.emitted import Done, Emitted
from pipeline.unified.event import (
    AUDIENCE,
    CREATED_AT,
    HANDLER_DEPTH,
    NOTIFICATION,
    RESERVED_METADATA,
    UNIFIED_ID,
    UnifiedEvent,
    written,
)
from pipeline.unified.plan import allowed, plan, shown_status
from pipeline.unified.router import DEPTH, EventRouter
from pipeline.unified.rules import Rule, load_rules

if TYPE_CHECKING:
    from pipeline.store import Store

logger = logging.getLogger(__name__)
_CLOSE_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class _Ready:
    """What an emit needs."""

    settings: Settings
    bus: Bus
    emitter: Emitter
    rules: tuple[Rule, ...]
    own_bus: bool


@dataclasses.dataclass(frozen=True)
class Wish:
    """What an emitter asks for beyond the event: who sees it, its sentence, words of the metadata that are reserved.

    `key` is what a repeat is recognised by, the event's id when it is empty.
    """

    audience: Audience | None = None
    sentence: str | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    key: str = ""


class EventSystem:
    """Emits unified events. Safe to use from several threads, from an event loop, and after a fork."""

    def __init__(
        self,
        router: EventRouter,
        settings: Settings | None = None,
        bus: Bus | None = None,
        store: Store | None = None,
    ) -> None:
        self.router = router
        self._given = (settings, bus)
        self._given_store = store
        self._own_store: Store | None = None
        self._counts = Counts()
        self._lock = threading.Lock()
        """Guards the making and the ending."""
        self._made: _Ready | None = None
        _ALL.add(self)

    def after_fork(self) -> None:
        """Counts anew in a forked child; the connections and the spool look after themselves."""
        self._lock = threading.Lock()
        self._counts.reset()

    # The seed's names

    def initialize(self, settings: Settings | None = None) -> Done:
        """Reads settings and rules; without it the first emit does. Raises SettingError."""
        if settings is not None:
            self.shutdown()
            self._given, self._given_store = (settings, None), None
        self._ready()
        return Done()

    def shutdown(self) -> Done:
        """Waits for the handlers, at most 5 seconds, and ends the connections. A later emit begins anew."""
        through = self.router.close(_CLOSE_SECONDS)
        with self._lock:
            made, self._made = self._made, None
            store, self._own_store = self._own_store, None
        if store is not None:
            store.close()
        if made is not None:
            made.emitter.close()
            if made.own_bus:
                made.bus.close_connections()
        return Done(through)

    def is_initialized(self) -> bool:
        """Whether settings and rules are read."""
        return self._made is not None

    def get_stats(self) -> dict[str, Any]:
        """What all processes have emitted: emitted, processed, errors, by_category, by_type, by_priority.

        `process` has the same of this process alone, with its handlers: `handler_errors` counts handlers that failed or
        took too long, `dropped` events that handlers were too slow for. They stand beside the former, too. `scope` is
        `all`, or `process` while the database cannot tell: then all are this process's.
        """
        own = self.process_stats()
        try:
            found = self._of_all_processes()
        except SpanfeedError:
            return {**own, "scope": "process", "process": own}
        # What could not be emitted is nowhere but in the process that has tried.
        found["errors"] += own["errors"]
        return {**own, **found, "scope": "all", "process": own}

    def _of_all_processes(self) -> dict[str, Any]:
        # Here, since most programs only emit, and the database's library doubles the time that they need to start.
        from pipeline.unified.statistics import of_all_processes

        return of_all_processes(self.bus(), self.store())

    def bus(self) -> Bus:
        """The bus that it emits to. Raises SettingError."""
        return self._ready().bus

    def store(self) -> Store:
        """The database, opened when it is wanted first. Raises SettingError and StoreUnavailable."""
        from pipeline.store import open_store

        ready = self._ready()
        with self._lock:
            if self._given_store is None and self._own_store is None:
                self._own_store = open_store(ready.settings)
            store = self._given_store or self._own_store
        assert store is not None
        return store

    def emit_chat_event(self, identity: Identity, state: State, event_id: str, took_ms: int | None = None) -> Emitted:
        """Emits an event of a chat session with its status, which no rule or handler sees; never raises."""
        try:
            log_id = self._ready().emitter.append(identity, state, f"chat:{event_id}", took_ms=took_ms)
        except SpanfeedError as error:
            return self.refused(identity.event_type, event_id, str(error))
        return self._told(identity.event_type, event_id, log_id)

    def _told(self, event_type: str, event_id: str, log_id: int | None) -> Emitted:
        """What became of an event that was given to the emitter."""
        if log_id is None:
            why = "Redis does not answer, and the spool cannot keep it"
            return dataclasses.replace(self.refused(event_type, event_id, why), unavailable=True)
        return Emitted(event_id, True, None, log_id or None, kept=not log_id)

    def process_stats(self) -> dict[str, Any]:
        """What this process has emitted, and how its handlers fare."""
        return {
            **self._counts.told(),
            "handlers": len(self.router.handlers),
            "handler_errors": self.router.failed,
            "dropped": self.router.dropped,
        }

    def get_health_status(self) -> dict[str, Any]:
        """`status` healthy, degraded (Redis is away, events wait in a file) or unhealthy (nothing can be emitted).

        `database`: whether it can tell the statistics of all processes; emitting does not need it.
        """
        found: dict[str, Any] = {"status": "healthy", "initialized": True, "redis": True, "spooled": False}
        try:
            ready = self._ready()
            found["spooled"] = ready.emitter.pending
            ready.bus.ping()
        except BusUnavailable:
            found |= {"status": "degraded", "redis": False}
        except SpanfeedError as error:
            found |= {"status": "unhealthy", "initialized": False, "redis": False, "error": str(error)}
        stats = self.get_stats()
        return {**found, "database": stats["scope"] == "all", "stats": stats}

    def emit_event(self, event: UnifiedEvent, wish: Wish = Wish()) -> Emitted:
        """Emits an event, within the emitter's deadline; never raises. See `Emitted`."""
        try:
            return self._emit(event, wish)
        except (SpanfeedError, TypeError, ValueError, AttributeError, OverflowError) as error:
            return self.refused(getattr(event, "event_type", "an event"), getattr(event, "id", ""), str(error))
        except Exception:
            logger.exception("an event could not be emitted")
            self._counts.failed()
            return Emitted(str(getattr(event, "id", "")), False, "something went wrong here", unavailable=True)

    def refused(self, event_type: object, event_id: object, why: str) -> Emitted:
        """What an emit gives that cannot be; one line in the log."""
        self._counts.failed()
        error = clean_text(why.replace("\n", " "), 500)
        logger.warning("%s was not emitted: %s", clean_text(str(event_type), 100), error)
        return Emitted(str(event_id), False, error)

    # Inside

    def _ready(self) -> _Ready:
        made = self._made
        if made is not None:
            return made
        with self._lock:
            if self._made is None:
                settings, bus = self._given
                settings = settings or settings_table.load()
                rules = load_rules(settings)
                own = bus is None
                bus = bus or open_bus(settings)
                self.router.configure(settings)
                self._made = _Ready(settings, bus, Emitter(bus), rules, own)
            return self._made

    def _emit(self, event: UnifiedEvent, wish: Wish) -> Emitted:
        ready = self._ready()
        if not ready.settings.unified_events_enabled:
            why = "unified events are turned off (SPANFEED_UNIFIED_EVENTS_ENABLED)"
            return Emitted(event.id, False, why, unavailable=True)
        check_event(event)
        metadata = {name: v for name, v in event.metadata.items() if name not in RESERVED_METADATA}
        metadata.update(wish.metadata)
        if DEPTH.get():
            metadata[HANDLER_DEPTH] = DEPTH.get()
        # A copy: handlers look at it later, when the emitter may have changed its own.
        event = dataclasses.replace(event, data=dict(event.data), metadata=metadata)
        planned = plan(event, ready.rules, wish.audience, ready.settings.high_priority_notifications)
        if planned.notification:
            event.metadata[NOTIFICATION] = True
        found = self._append(ready, event, planned.audience, wish.sentence, wish.key or event.id)
        if not found:
            return found
        self.router.route_event(event)
        for made, audience in planned.made:
            if self._append(ready, made, allowed(made, audience), None, f"{wish.key or event.id}:{made.id}"):
                self.router.route_event(made)
        return found

    def _append(
        self, ready: _Ready, event: UnifiedEvent, audience: Audience, sentence: str | None, key: str
    ) -> Emitted:
        event.metadata |= {UNIFIED_ID: event.id, CREATED_AT: written(event.timestamp), AUDIENCE: str(audience)}
        about = audience_of()
        language = about.language if about is not None else "en"
        trace_id, span_id = trace_of()
        identity = Identity(
            event_type=event.event_type,
            category=event.category,
            priority=event.priority,
            session_id=event.session_id,
            user_id=event.user_id,
            correlation_id=event.correlation_id or (about.message_id if about is not None else None),
            trace_id=trace_id if int(trace_id, 16) else None,
            parent_span_id=span_id if int(span_id, 16) else None,
            source_system=event.source_system or "spanfeed",
        )
        text = sentence or catalog.sentence(event.event_type, language, event.data)
        state = State(shown_status(event, audience), text, event.data, event.metadata)
        log_id = ready.emitter.append(identity, state, f"unified:{key}", str(audience))
        found = self._told(event.event_type, event.id, log_id)
        if found:
            self._counts.emitted(event)
        return found


_ALL: weakref.WeakSet[EventSystem] = weakref.WeakSet()


def _after_fork() -> None:
    for system in list(_ALL):
        system.after_fork()


def _at_exit() -> None:
    """Lets the handlers of a script finish, within their bound."""
    for system in list(_ALL):
        if system.is_initialized():
            system.shutdown()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)

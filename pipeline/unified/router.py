"""The router: gives events to the handlers of this process, in order, without making an emitter wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import dataclasses
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Generator
from typing import Any

from pipeline.settings import Settings
from pipeline.unified.event import EventCategory, UnifiedEvent
from pipeline.unified.hands import Handler, HandlerTimedOut, Hands
from pipeline.unified.registrations import Registration, Registrations

logger = logging.getLogger(__name__)
DEPTH_LIMIT = 8
DEPTH: contextvars.ContextVar[int] = contextvars.ContextVar("handler_depth", default=0)
"""How many handlers deep an emit is: one that emits what it handles must not go on for ever."""


@dataclasses.dataclass(frozen=True)
class Handled:
    """How many handlers have taken an event, and how many have failed or taken too long."""

    handled: int = 0
    failed: int = 0


class Routed:
    """An event on its way to its handlers. True when it was taken; awaiting it, or `wait`, gives what became of it."""

    def __init__(self, future: concurrent.futures.Future[Handled] | None) -> None:
        self._future = future

    def __bool__(self) -> bool:
        return self._future is not None

    def wait(self, timeout_seconds: float | None = None) -> Handled:
        """Waits until all handlers are through. Raises TimeoutError."""
        return Handled() if self._future is None else self._future.result(timeout_seconds)

    def __await__(self) -> Generator[Any, None, Handled]:
        if self._future is None:
            return Handled()
        return (yield from asyncio.wrap_future(self._future).__await__())


class EventRouter:
    """Handlers by everything, category or type, and the thread that calls them.

    Each handler has a bounded time; one that fails or hangs keeps no other from the event. An event that finds the
    queue full is not given to handlers; it is counted in `dropped`.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._handlers = Registrations()
        self.failed = self.dropped = 0
        self._begin()
        _ALL.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        """Guards the thread's making."""
        self._queue: queue.Queue[_Job | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def after_fork(self) -> None:
        """Leaves what waits to the parent; only for a forked child."""
        self._handlers.after_fork()
        self._begin()

    def configure(self, settings: Settings) -> None:
        """Takes the limits of these settings; what waits goes on to wait."""
        self._settings = settings

    # Handlers

    def add_global_handler(self, handler: Handler, durable: str | None = None) -> str:
        """A handler for all events; gives its id. Raises SettingError."""
        return self._handlers.add(handler, None, None, durable)

    def add_category_handler(self, category: EventCategory | str, handler: Handler, durable: str | None = None) -> str:
        """A handler for the events of a category; gives its id. Raises SettingError."""
        return self._handlers.add(handler, category, None, durable)

    def add_type_handler(self, event_type: str, handler: Handler, durable: str | None = None) -> str:
        """A handler for a type, or for all that fit a pattern such as `document.*`; gives its id.

        With a name in `durable` it is not called here but by `spanfeed handlers`, from the log. Raises SettingError.
        """
        return self._handlers.add(handler, None, event_type, durable)

    def remove_handler(self, handler_id: str) -> bool:
        """Takes a handler away; False when there is none with this id."""
        return self._handlers.remove(handler_id)

    @property
    def handlers(self) -> Registrations:
        """All handlers."""
        return self._handlers

    # Events

    def route_event(self, event: UnifiedEvent) -> Routed:
        """Gives an event to its handlers, which are called in another thread; never raises."""
        fitting = self._handlers.for_event(event)
        depth = DEPTH.get()
        done: concurrent.futures.Future[Handled] = concurrent.futures.Future()
        if not fitting or depth >= DEPTH_LIMIT:
            if fitting:
                logger.error("%s is not handed on: its handlers emit one another's events", event.event_type)
            done.set_result(Handled())
            return Routed(done)
        if self._queue.qsize() >= self._settings.handler_queue_limit_events:
            with self._lock:
                self.dropped += 1
            logger.error("handlers are too slow: %s was not handed to them", event.event_type)
            return Routed(None)
        self._queue.put(_Job(event, fitting, depth, done))
        self._ensure_thread()
        return Routed(done)

    def drain(self, timeout_seconds: float) -> bool:
        """Waits until all that was routed is handled; False when that takes longer."""
        deadline = time.monotonic() + timeout_seconds
        while self._queue.unfinished_tasks:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return True

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Ends the thread once it is through; False when that took too long. A later event begins anew."""
        through = self.drain(timeout_seconds)
        with self._lock:
            thread = self._thread
            if thread is None or not through:
                return through
            self._queue.put(None)
            self._thread = None
        thread.join(timeout_seconds)
        return not thread.is_alive()

    def _ensure_thread(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="event-router", daemon=True)
                    self._thread.start()

    def _work(self) -> None:
        hands = Hands(self._settings.handler_timeout_seconds)
        while True:
            job = self._queue.get()
            if job is None:
                self._queue.task_done()
                break
            # Handlers are called in a copy of this thread's context.
            DEPTH.set(job.depth + 1)
            outcomes = [self._call(hands, one, job.event) for one in job.fitting]
            job.done.set_result(Handled(outcomes.count(True), outcomes.count(False)))
            self._queue.task_done()
        hands.end()

    def _call(self, hands: Hands, one: Registration, event: UnifiedEvent) -> bool:
        if one.stuck >= self._settings.handler_stuck_limit:
            self.failed += 1
            return False
        try:
            hands.call(one.handler, event, one.home, one.hangs)
        except HandlerTimedOut as error:
            self.failed += 1
            logger.error("handler %s has not handled %s: %s", one.name, event.event_type, error)
            return False
        except Exception:
            self.failed += 1
            logger.exception("handler %s has failed at %s", one.name, event.event_type)
            return False
        return True


@dataclasses.dataclass(frozen=True)
class _Job:
    event: UnifiedEvent
    fitting: list[Registration]
    depth: int
    done: concurrent.futures.Future[Handled]


_ALL: weakref.WeakSet[EventRouter] = weakref.WeakSet()


def _after_fork() -> None:
    for router in list(_ALL):
        router.after_fork()


os.register_at_fork(after_in_child=_after_fork)

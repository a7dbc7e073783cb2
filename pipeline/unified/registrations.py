"""Which handlers there are, and which of them are meant for an event."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import itertools
import re
import threading
from collections.abc import Sequence
from typing import Any

from pipeline.errors import SettingError
from pipeline.event import Category
from pipeline.unified.event import EventCategory, UnifiedEvent
from pipeline.unified.hands import Handler
from pipeline.unified.patterns import is_pattern, matches

_DURABLE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NUMBERS = itertools.count(1)


@dataclasses.dataclass(eq=False)
class Registration:
    """A handler with what it is for: a category, a type's pattern, or everything. `stuck` counts calls that hang."""

    id: str
    handler: Handler
    category: Category | None = None
    pattern: str | None = None
    durable: str | None = None
    home: asyncio.AbstractEventLoop | None = None
    stuck: int = 0

    @property
    def name(self) -> str:
        """For the log."""
        return self.durable or str(getattr(self.handler, "__qualname__", type(self.handler).__name__))

    def fits(self, event: UnifiedEvent) -> bool:
        """Whether the handler is meant for this event."""
        if self.category is not None:
            return event.category is self.category
        return self.pattern is None or matches(self.pattern, event.event_type)

    def hangs(self, call: concurrent.futures.Future[Any]) -> None:
        """Counts a call that hangs, for as long as it does."""
        self.stuck += 1
        call.add_done_callback(self._is_back)

    def _is_back(self, _call: object) -> None:
        self.stuck -= 1


class Registrations:
    """All handlers of a router. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Guards the lists while they are made anew."""
        self._plain: tuple[Registration, ...] = ()
        self._durable: tuple[Registration, ...] = ()

    def add(
        self, handler: Handler, category: EventCategory | str | None, pattern: str | None, durable: str | None
    ) -> str:
        """Adds a handler and gives its id. Raises SettingError for an unknown category, a bad pattern or name."""
        if not callable(handler):
            raise SettingError("a handler must be something that can be called")
        if category is not None and str(category) not in list(Category):
            raise SettingError(f"{category!r} is none of the categories {', '.join(Category)}")
        if pattern is not None and not is_pattern(str(pattern)):
            raise SettingError(f"{pattern!r} is no event type and no pattern such as document.*")
        if durable is not None and not _DURABLE_NAME.fullmatch(durable):
            raise SettingError("a durable handler's name is 1 to 64 of A-Z a-z 0-9 . _ -")
        made = Registration(
            f"handler-{next(_NUMBERS)}",
            handler,
            None if category is None else Category(category),
            None if pattern is None else str(pattern),
            durable,
            _running_loop(),
        )
        with self._lock:
            if durable is None:
                self._plain = (*self._plain, made)
            elif any(durable == other.durable for other in self._durable):
                raise SettingError(f"there is a durable handler with the name {durable} already")
            else:
                self._durable = (*self._durable, made)
        return made.id

    def remove(self, handler_id: str) -> bool:
        """Takes a handler away; False when there is none with this id."""
        with self._lock:
            before = len(self._plain) + len(self._durable)
            self._plain = tuple(one for one in self._plain if one.id != handler_id)
            self._durable = tuple(one for one in self._durable if one.id != handler_id)
            return len(self._plain) + len(self._durable) < before

    def for_event(self, event: UnifiedEvent) -> list[Registration]:
        """The handlers of this process that are meant for the event, in the order in which they were added."""
        return [one for one in self._plain if one.fits(event)]

    def durable(self) -> Sequence[Registration]:
        """The durable handlers."""
        return self._durable

    def all(self) -> Sequence[Registration]:
        """All handlers, the durable ones last."""
        return (*self._plain, *self._durable)

    def after_fork(self) -> None:
        """Begins with a lock of its own, in a forked child."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._plain) + len(self._durable)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None

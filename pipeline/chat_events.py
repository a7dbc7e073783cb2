"""The first seed's class for programs that tell a session's events themselves: the same names and arguments.

Each method may be called or awaited. The `db` of the seed is accepted and ignored: Spanfeed has its own. A stage that
is a task or a span tells its events by itself, and ends them whatever is killed; here the program is trusted to do so.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from pipeline import catalog, catalog_texts
from pipeline.errors import BusUnavailable, InvalidEvent
from pipeline.event import Event, Identity, State, Status, is_session_id
from pipeline.unified import Emitted
from pipeline.unified.process import unified_event_manager

if TYPE_CHECKING:
    from pipeline.store import Store

_MOST_EVENTS = 10_000


class Events(list[dict[str, Any]]):
    """Events as the feed tells them, oldest first; awaiting it gives itself."""

    def __await__(self) -> Generator[None, None, Events]:
        yield from ()
        return self


class Count(int):
    """How many; awaiting it gives itself."""

    def __await__(self) -> Generator[None, None, Count]:
        yield from ()
        return self


class ChatEventService:
    """What the first seed's programs call."""

    EVENT_MESSAGES: Mapping[str, Mapping[str, str]] = {
        event_type: {status: texts["en"] for status, texts in catalog_texts.TEXTS[event_type].items()}
        for event_type in (*catalog.STAGE_TYPES, "error")
        if event_type in catalog_texts.TEXTS
    }
    """The English sentence for a type and a status."""

    @staticmethod
    def create_event(
        db: object,
        session_id: str,
        event_type: str,
        event_status: str,
        message_id: str | None = None,
        event_data: dict[str, Any] | None = None,
        processing_time_ms: int | None = None,
        custom_message: str | None = None,
    ) -> Emitted:
        """Tells one event of a session. Never raises: see `Emitted`, whose `log_id` is the event's id."""
        event_id, system = str(uuid.uuid4()), unified_event_manager
        data = event_data or {}
        try:
            if not is_session_id(session_id):
                raise InvalidEvent("a session's id is 1 to 64 of A-Z a-z 0-9 . _ : @ -")
            status, line = Status(event_status), catalog.lookup(event_type)
            text = custom_message or catalog.user_message(event_type, status, "en", data)
            identity = Identity(
                event_type, line.category, line.priority, session_id, message_id, correlation_id=message_id
            )
            return system.emit_chat_event(identity, State(status, text, data), event_id, processing_time_ms)
        except (InvalidEvent, TypeError, ValueError) as error:
            return system.refused(event_type, event_id, str(error))

    @staticmethod
    def get_session_events(db: object, session_id: str, limit: int = 100, after: int = 0) -> Events:
        """At most `limit` events of a session behind the id `after`, oldest first.

        Raises StoreUnavailable; while Redis is away what is not stored yet is missing.
        """
        found = _stored(unified_event_manager.store(), session_id, after, _bounded(limit))
        found |= _fresh(session_id, after)
        return Events([found[event_id] for event_id in sorted(found)][: _bounded(limit)])

    @staticmethod
    def get_latest_events(db: object, session_id: str, count: int = 10) -> Events:
        """The newest `count` events of a session, oldest first. Raises StoreUnavailable."""
        from pipeline.store import events

        stored = events.latest_session_events(unified_event_manager.store(), session_id, _bounded(count))
        found = {event.id: orjson.loads(event.wire) for event in stored} | _fresh(session_id, 0)
        return Events([found[event_id] for event_id in sorted(found)][-_bounded(count) :])

    @staticmethod
    def cleanup_old_events(db: object, hours_old: float = 24) -> Count:
        """Deletes the chat events that are older than so many hours, and gives how many. Raises StoreUnavailable."""
        from pipeline.store.retention import cleanup_older_than

        return Count(cleanup_older_than(unified_event_manager.store(), hours_old))


def _bounded(count: int) -> int:
    return max(1, min(count, _MOST_EVENTS))


def _stored(store: Store, session_id: str, after: int, limit: int) -> dict[int, dict[str, Any]]:
    from pipeline.store import events

    return {event.id: orjson.loads(event.wire) for event in events.session_events(store, session_id, after, limit)}


def _fresh(session_id: str, after: int) -> dict[int, dict[str, Any]]:
    """What Redis holds of a session, stored or not."""
    try:
        held: list[Event] = unified_event_manager.bus().session_events(session_id, after, 2**53, _MOST_EVENTS)
    except BusUnavailable:
        return {}
    return {event.id: orjson.loads(event.wire) for event in held}

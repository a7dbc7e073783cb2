"""Emitting unified events beside a server, and reading the streams across sessions."""

from __future__ import annotations

from typing import Any

from pipeline.bus import open_bus
from pipeline.catalog import Audience
from pipeline.event import Category
from pipeline.settings import Settings
from pipeline.unified import Emitted, EventRouter, EventSystem, UnifiedEvent
from pipeline.unified.system import Wish
from tests.parts.stack import KEY, Stack
from tests.parts.stream_client import Message, StreamClient
from web.recorder import Recorder

USER, OPERATORS = "/api/v1/events/stream", "/api/v1/events/admin/stream"
ESTABLISHED = {USER: "connection.established", OPERATORS: "admin.connection.established"}


class Emitter:
    """Emits unified events beside a server, as a program would."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bus = open_bus(settings)
        self._system = EventSystem(EventRouter(), settings, self.bus)

    def __call__(
        self,
        event_type: str,
        user_id: str | None = None,
        category: Category = Category.REALTIME,
        audience: Audience | None = None,
        data: dict[str, Any] | None = None,
        **more: Any,
    ) -> int:
        """Emits one event and gives its number in the log."""
        event = UnifiedEvent(category, event_type, user_id=user_id, data=data or {}, **more)
        found: Emitted = self._system.emit_event(event, Wish(audience))
        assert found.ok, found.error
        assert found.log_id is not None
        return found.log_id

    def record(self, stack: Stack) -> None:
        """Has everything stored that was emitted so far, and taken out of the log."""
        Recorder(stack.settings(), self.bus, stack.store).run_until_empty()
        self.bus.log.trim()


def opened(stack: Stack, user: str, last_event_id: int | None = None, path: str = USER, **query: Any) -> StreamClient:
    """A stream that has begun, opened by an application for its user, or by an administrator."""
    if path == USER:
        query["user_id"] = user
    client = StreamClient(stack.url, path, KEY, None if last_event_id is None else str(last_event_id), **query)
    client.__enter__()
    assert client.next().name == ESTABLISHED[path]
    return client


def until(client: StreamClient, event_id: int) -> list[int]:
    """Reads up to an event and gives the ids of all events that came."""
    client.until(lambda message: message.last_id == str(event_id) and not is_about_it(message))
    return [int(message.json["id"]) for message in client.messages if not is_about_it(message)]


def is_about_it(message: Message) -> bool:
    """Whether a message is no event but tells of the connection."""
    return "connection." in message.name


def types(client: StreamClient) -> list[str]:
    """The types of all events that came."""
    return [message.json["type"] for message in client.messages if not is_about_it(message)]

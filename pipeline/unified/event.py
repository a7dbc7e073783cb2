"""A unified event: what an emitter says, as the emitter's program and its handlers see it."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from pipeline import catalog
from pipeline.errors import InvalidEvent
from pipeline.event import Category, Priority, clean_text

EventCategory = Category
EventPriority = Priority

SOURCES: Mapping[Category, str] = {
    Category.REALTIME: "sse",
    Category.SECURITY: "monitoring",
    Category.AUDIT: "audit",
    Category.MONITORING: "monitoring",
    Category.STREAMING: "streaming",
    Category.ANALYTICS: "analytics",
    Category.WORKFLOW: "spanfeed",
}
"""The `source_system` of an event whose emitter names none."""

UNIFIED_ID, CREATED_AT, AUDIENCE, NOTIFICATION, ORIGIN, EMITTED_BY, HANDLER_DEPTH, ABOUT_DELIVERY = (
    "unified_event_id created_at audience notification origin emitted_by handler_depth about_delivery".split()
)
RESERVED_METADATA = frozenset(
    {UNIFIED_ID, CREATED_AT, AUDIENCE, NOTIFICATION, ORIGIN, EMITTED_BY, HANDLER_DEPTH, ABOUT_DELIVERY, "emitted_at"}
)
"""What the system itself writes into the metadata; an emitter's words of these names are left out."""


@dataclasses.dataclass
class UnifiedEvent:
    """An event before and after it is emitted. Category and priority may be given as words.

    `id` makes a repeated emit harmless: the same id is written once. Without a priority it is the category's: security
    high, audit of a failure high, analytics low, else normal. Raises InvalidEvent for an unknown word.
    """

    category: EventCategory
    event_type: str
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: datetime.datetime = dataclasses.field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    data: dict[str, Any] = dataclasses.field(default_factory=dict)
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
    user_id: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    # Until __post_init__ has looked at the category.
    priority: EventPriority = dataclasses.field(default=None)  # type: ignore[assignment]
    source_system: str | None = None

    def __post_init__(self) -> None:
        try:
            self.category = Category(self.category)
            self.event_type = str(self.event_type)
            given: Any = self.priority
            self.priority = default_priority(self.category, self.data) if given is None else Priority(given)
        except ValueError as error:
            raise InvalidEvent(clean_text(str(error), 200)) from None
        self.source_system = self.source_system or SOURCES[self.category]

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON can hold it."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **fields,
            "category": str(self.category),
            "priority": str(self.priority),
            "timestamp": written(self.timestamp),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> UnifiedEvent:
        """The event that `to_dict` gave; unknown names are ignored. Raises InvalidEvent."""
        try:
            known = {field.name for field in dataclasses.fields(cls)}
            fields = {name: value for name, value in data.items() if name in known and value is not None}
            if isinstance(fields.get("timestamp"), str):
                fields["timestamp"] = datetime.datetime.fromisoformat(fields["timestamp"])
            return cls(**fields)
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidEvent(f"not a unified event: {clean_text(str(error), 200)}") from None

    @classmethod
    def from_wire(cls, wire: bytes) -> UnifiedEvent:
        """The event of the log, of whatever kind: its number, status and message stand in the metadata.

        Raises InvalidEvent.
        """
        try:
            said = orjson.loads(wire)
            metadata = dict(said["metadata"] or {})
            more = {name: said[name] for name in ("event_status", "message_id") if said[name] is not None}
            return cls.from_dict(
                {
                    **said,
                    "id": metadata.get(UNIFIED_ID) or str(said["id"]),
                    "timestamp": metadata.get(CREATED_AT) or said["timestamp"],
                    "data": said["event_data"],
                    "metadata": {**metadata, **more, "log_id": said["id"]},
                }
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidEvent(f"not an event: {type(error).__name__}") from None


def default_priority(category: Category, data: object) -> Priority:
    """What an event matters whose emitter does not say."""
    if category is Category.AUDIT and isinstance(data, Mapping) and _failed(data):
        return Priority.HIGH
    return catalog.PRIORITIES.get(category, Priority.NORMAL)


def _failed(data: Mapping[str, Any]) -> bool:
    return data.get("success") is False or data.get("result") in ("failure", "failed", "error", "denied")


def written(moment: datetime.datetime) -> str:
    """A time as events write it; a naive one is UTC."""
    moment = moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"

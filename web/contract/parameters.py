"""What addresses and heads may hold, by name: the parameters of the routes."""

from __future__ import annotations

from typing import Any

from pipeline.event import Category, Priority, Status
from pipeline.store import alerts, deliveries
from web.contract.shapes import SESSION_ID, TEXT, WHOLE, Schema, many, one_of

_PLACES: dict[str, Schema] = {
    "session_id": SESSION_ID,
    "collection": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_TYPES = many({"type": "string", "pattern": "^[A-Za-z0-9._*-]{1,100}$"})
_FILTERS = ("event_type", "event_status", "category", "priority")


def _number(lowest: int, highest: int, default: int) -> Schema:
    return {"type": "integer", "minimum": lowest, "maximum": highest, "default": default}


_QUERY: dict[str, tuple[Schema, str]] = {
    "after": ({**WHOLE, "minimum": 0}, "An event's id: what came behind it is given."),
    "since": (TEXT, "A time in ISO 8601: what came behind it is given. Not together with `after`."),
    "limit": (_number(1, 500, 50), "At most so many are given."),
    "count": (_number(1, 50, 10), "At most so many are given."),
    "messages": (_number(1, 20, 5), "So many of the newest messages."),
    "wait": (
        {**WHOLE, "minimum": 0, "default": 0},
        "So many seconds a poll with a cursor waits for an event; at most 25, if the server has no other limit.",
    ),
    "epoch": (TEXT, "The epoch in which the cursor was given."),
    "event_type": (_TYPES, "Only these types; `*` stands for any characters."),
    "event_status": (many(one_of(Status)), "Only these statuses."),
    "category": (many(one_of(Category)), "Only these categories."),
    "priority": (many(one_of(Priority)), "Only these priorities."),
    "user_id": (TEXT, "The user whom an application's key means."),
    "before": ({**WHOLE, "minimum": 0}, "The `next_before` of the page before."),
    "alert_status": (one_of(alerts.STATUSES), "Only alerts that stand so."),
    "delivery_status": (one_of(deliveries.STATUSES), "Only deliveries that stand so."),
    "rule": (TEXT, "Only alerts of this rule."),
    "range": ({"type": "string", "pattern": "^[0-9]{1,6}[mhd]$"}, "The time up to now, 5m to 90d."),
    "from": (TEXT, "From when, in ISO 8601 or Unix milliseconds; not together with `range`."),
    "to": (TEXT, "Until when, likewise; without it until now."),
    "session": (TEXT, "Only events of this session."),
    "user": (TEXT, "Only events of this user."),
    "message_id": (TEXT, "Only events of this message."),
    "text": (TEXT, "Only events whose `user_message` holds these characters."),
    "event_before": ({**WHOLE, "minimum": 0}, "The `next` of the page before."),
    "session_before": (TEXT, "The `next` of the page before."),
    "q": (TEXT, "Only sessions with these characters in their id, owner or user."),
    "format": ({**one_of(("csv", "ndjson")), "default": "csv"}, "What kind of file."),
}
_CALLED = {
    "alert_status": "status",
    "delivery_status": "status",
    "session": "session_id",
    "user": "user_id",
    "event_before": "before",
    "session_before": "before",
}
_HEADERS: dict[str, tuple[Schema, str]] = {
    "Prefer": (TEXT, "With `respond-async` the reply is 202 at once."),
    "Idempotency-Key": (TEXT, "A request that is sent again with the same key is made once."),
    "If-None-Match": (TEXT, "The `ETag` of a reply that you have."),
    "Last-Event-ID": ({**WHOLE, "minimum": 0}, "As `after`, and before it; browsers send it by themselves."),
    "X-Requested-With": (TEXT, "Needed with an administrator's cookie, whatever its value."),
}
FILTERS = _FILTERS


def of_path(name: str) -> dict[str, Any]:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": _PLACES.get(name, TEXT)}


def named(name: str) -> dict[str, Any]:
    """A parameter of the query or a header; all of them may be left out. Lists are given by repeating the name."""
    place, (schema, text) = ("header", _HEADERS[name]) if name in _HEADERS else ("query", _QUERY[name])
    made = {"name": _CALLED.get(name, name), "in": place, "required": False, "schema": schema, "description": text}
    return {**made, "style": "form", "explode": True} if schema.get("type") == "array" else made

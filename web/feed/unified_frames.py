"""Server-Sent Events in the shape of the second seed: each an object of id, type, data, timestamp and metadata."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from pipeline.event import encode

_IN_METADATA = ("category", "priority", "source_system", "correlation_id", "session_id")
"""Fields of an event that stand in every message's metadata."""
_IF_THERE = ("message_id", "event_status", "user_message", "seq", "processing_time_ms", "reason")
"""Fields that stand there too where an event has them: those of a chat's stages."""
_UNIFIED_ID = "unified_event_id"


def _framed(name: str, payload: dict[str, Any], event_id: int | None) -> bytes:
    # A client's cursor stays where it is when a message has no id.
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return head + b"event: %b\ndata: %b\n\n" % (name.encode(), encode(payload))


def event(event_id: int, wire: bytes, names_user: bool) -> bytes:
    """An event; `names_user`: for operators, who see whose it is. Nothing for what is no event.

    Whoever serves thousands must not stumble over what somebody has put into Redis by hand.
    """
    told = _read(wire)
    name = told.get("event_type")
    if not isinstance(name, str) or not name.isprintable():
        return b""
    metadata = dict(told["metadata"]) if isinstance(told.get("metadata"), dict) else {}
    metadata.update({field: told.get(field) for field in _IN_METADATA})
    metadata.update({field: told[field] for field in _IF_THERE if told.get(field) is not None})
    metadata.setdefault(_UNIFIED_ID, None)
    payload = {
        "id": str(event_id),
        "type": name,
        "data": told.get("event_data") or {},
        "timestamp": told.get("timestamp"),
        "metadata": metadata,
    }
    if names_user:
        payload["user_id"] = told.get("user_id")
    return _framed(name, payload, event_id)


def _read(wire: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(wire)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def message(kind: str, body: bytes, for_operators: bool) -> bytes:
    """What is told about the connection itself, from the words that other transports tell it in."""
    said = orjson.loads(body)
    at = said.pop("timestamp", None)
    del said["type"]
    if kind == "connection":
        return _established(said, at, for_operators)
    payload = {"id": str(uuid.uuid4()), "type": f"connection.{kind}", "data": said, "timestamp": at, "metadata": {}}
    return _framed(f"connection.{kind}", payload, None)


def _established(said: dict[str, Any], at: str, for_operators: bool) -> bytes:
    """The first message. Its id is where the feed goes on from, so that a browser that is cut off comes back there."""
    name = "admin.connection.established" if for_operators else "connection.established"
    data = {
        "connection_id": str(uuid.uuid4()),
        "user_id": said["user_id"],
        "connected_at": at,
        "established_at": at,
        "epoch": said["epoch"],
        "last_id": said["last_id"],
    }
    payload = {"id": str(said["after"]), "type": name, "data": data, "timestamp": at, "metadata": {}}
    return _framed(name, payload, said["after"])

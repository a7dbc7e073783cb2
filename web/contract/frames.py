"""What goes over an open feed, in both directions, by its type."""

from __future__ import annotations

from typing import Any

from pipeline.catalog import Audience
from pipeline.event import Category, Priority, Status
from web.contract.shapes import (
    MOMENT,
    NUMBER,
    OBJECT,
    SESSION_ID,
    TEXT,
    WHOLE,
    Schema,
    fields,
    many,
    maybe,
    one_of,
    ref,
)
from web.contract.shapes import thing as _thing
from web.feed.wish import FILTERS_LIMIT

_RESET = one_of(["epoch", "future", "history"])
_CURSOR: Schema = {"anyOf": [{**WHOLE, "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,16}$"}, {"type": "null"}]}


def _frame(kind: str, optional: dict[str, Schema] | None = None, **more: Schema) -> Schema:
    return _thing(optional, type=one_of([kind]), **more)


_FURTHER = {"session_id": SESSION_ID}
"""Says which of a WebSocket's further sessions is meant."""
_BEGINNING = {"session_id": SESSION_ID, "message": TEXT, "epoch": TEXT, "last_id": WHOLE}

FROM_SERVER: dict[str, tuple[str, Schema]] = {
    "connection": (
        "The feed is open.",
        _frame("connection", status=one_of(["connected"]), timestamp=MOMENT, **_BEGINNING),
    ),
    "hello": ("From which event the feed goes on.", _frame("hello", _FURTHER, after=WHOLE, epoch=TEXT)),
    "reset": (
        "The cursor is worth nothing: forget what is known.",
        _frame("reset", _FURTHER, reason=_RESET, epoch=TEXT, last_id=WHOLE),
    ),
    "event": ("Something has happened.", _frame("event", event=ref("Event"))),
    "answer": (
        "The answer that is being written, so far.",
        _frame("answer", _FURTHER, message_id=TEXT, attempt=WHOLE, text=TEXT, offset=WHOLE),
    ),
    "chunk": (
        "A piece of an answer.",
        _frame("chunk", _FURTHER, message_id=TEXT, attempt=WHOLE, offset=WHOLE, text=TEXT),
    ),
    "answer_reset": ("The answer begins anew.", _frame("answer_reset", _FURTHER, message_id=TEXT, attempt=WHOLE)),
    "bus": (
        "The server has lost its Redis, or has it again.",
        _frame("bus", status=one_of(["away", "back"]), timestamp=MOMENT),
    ),
}
"""Over a WebSocket and a session's stream; of the stream's events only `event` stands there, without a frame."""

WEBSOCKET_ONLY: dict[str, tuple[str, Schema]] = {
    "subscribed": (
        "A further session is followed.",
        _frame("subscribed", session_id=SESSION_ID, last_id=WHOLE, epoch=TEXT),
    ),
    "unsubscribed": (
        "A session is followed no more.",
        _frame("unsubscribed", {"reason": one_of(["expired", "revoked"])}, session_id=SESSION_ID),
    ),
    "refused": (
        "A session is not followed, or not left.",
        _frame(
            "refused",
            session_id=maybe(TEXT),
            reason=one_of(["not_found", "forbidden", "invalid", "too_many", "unavailable"]),
        ),
    ),
    "token_accepted": ("Until when the feed is open now.", _frame("token_accepted", expires_at=WHOLE)),
    "token_refused": ("The token does not prolong this feed.", _frame("token_refused")),
    "keepalive": ("The client has been silent.", _frame("keepalive", timestamp=MOMENT)),
    "pong": ("The answer to a ping in JSON.", _frame("pong", timestamp=MOMENT)),
    "pong_text": ("The answer to the bare word ping.", {"type": "string", "const": "pong"}),
}
EXPIRED = ("The token's time is over, or its key opens nothing any more.", _frame("expired", timestamp=MOMENT))


def _words(schema: Schema) -> Schema:
    return {"anyOf": [schema, {**many(schema), "maxItems": FILTERS_LIMIT}]}


_ASKED: dict[str, Schema] = {
    "after": _CURSOR,
    "epoch": maybe(TEXT),
    "token": maybe(TEXT),
    "event_type": _words({"type": "string", "pattern": "^[A-Za-z0-9._*-]{1,100}$"}),
    "event_status": _words(one_of(Status)),
    "category": _words(one_of(Category)),
    "priority": _words(one_of(Priority)),
}
FROM_CLIENT: dict[str, tuple[str, Schema]] = {
    "ping": ("Asks whether the server is there.", _frame("ping")),
    "ping_text": ("The same in one word.", {"type": "string", "const": "ping"}),
    "subscribe": ("Asks for a further session.", _frame("subscribe", _ASKED, session_id=SESSION_ID)),
    "unsubscribe": ("Leaves a session.", _frame("unsubscribe", session_id=SESSION_ID)),
    "token": ("Prolongs the feed by a new token.", _frame("token", token=TEXT)),
}

_METADATA = _thing(
    {
        "message_id": TEXT,
        "event_status": one_of(Status),
        "user_message": TEXT,
        "seq": WHOLE,
        "processing_time_ms": NUMBER,
        "reason": TEXT,
        "audience": one_of(Audience),
    },
    category=one_of(Category),
    priority=one_of(Priority),
    source_system=TEXT,
    **fields("correlation_id session_id unified_event_id", maybe(TEXT)),
)


def _unified(name: Schema, data: Schema, metadata: Schema = OBJECT, **more: Schema) -> Schema:
    return _thing(id=TEXT, type=name, data=data, timestamp=MOMENT, metadata=metadata, **more)


_HAPPENED = "Something has happened; the message is named by the event's type."
_ESTABLISHED = _thing(
    **fields("connection_id user_id", TEXT),
    **fields("connected_at established_at", MOMENT),
    epoch=TEXT,
    last_id=WHOLE,
)
_OPEN = {**_METADATA, "additionalProperties": True}


def unified(for_operators: bool) -> dict[str, tuple[str, Schema]]:
    """What a stream across sessions tells, by the messages' names."""
    first = "admin.connection.established" if for_operators else "connection.established"
    whose: dict[str, Any] = {"user_id": maybe(TEXT)} if for_operators else {}
    about = {
        "connection.reset": ("The cursor is worth nothing.", _thing(reason=_RESET, epoch=TEXT, last_id=WHOLE)),
        "connection.hello": ("The log has begun anew; it goes on from here.", _thing(after=WHOLE, epoch=TEXT)),
        "connection.bus": ("The server has lost its Redis, or has it again.", _thing(status=one_of(["away", "back"]))),
        "connection.expired": (EXPIRED[0], OBJECT),
    }
    untimed = {"connection.reset", "connection.hello"}
    told = {name: (text, _unified(one_of([name]), data)) for name, (text, data) in about.items()}
    for name in untimed:
        told[name][1]["properties"]["timestamp"] = {"type": "null"}
    return {
        first: ("The stream is open.", _unified(one_of([first]), _ESTABLISHED)),
        "event": (_HAPPENED, _unified(TEXT, OBJECT, _OPEN, **whose)),
        **told,
    }

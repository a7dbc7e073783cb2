"""An event's shape: its fields, their limits, and the JSON pieces that it is written in.

The bus's scripts know what nobody else can know (id, seq, timestamp, attempt, durations); an emitter knows the
rest. So an event is put together from pieces: the script's, a span's `Identity` (the same for all events of that
span, kept in the run) and a `State` (what is new). Each piece is the inside of a JSON object, without braces.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from typing import Any

import orjson

from pipeline import redaction
from pipeline.errors import InvalidCursor, InvalidEvent
from pipeline.redaction import Redactor

LIMITS = {
    "session_id": 64,
    "message_id": 64,
    "user_id": 128,
    "correlation_id": 128,
    "source_system": 64,
    "user_message": 500,
    "reason": 50,
    "error_type": 100,
    "task_id": 64,
}
"""The longest texts, in characters; what is longer is cut, never dropped."""
DATA_LIMIT_BYTES = 1_048_576
METADATA_LIMIT_BYTES = 65_536
EPOCH_OFFSET_SECONDS = 1_577_836_800
"""2020-01-01T00:00:00Z as Unix time; an event's id counts microseconds from there."""

_TYPE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_SESSION_NAME = re.compile(r"[A-Za-z0-9._:@-]{1,64}")
# C0 and C1 controls but tab and newline, lone surrogates, and the bidirectional overrides that reorder a line.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
# The same characters as they stand in encoded JSON (orjson escapes C0 and writes the rest as UTF-8).
_UNSAFE_ENCODED = re.compile(rb"\\u00|\\[bfr]|\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
_MAX_ID = 2**53 - 1
_OWN_SYSTEM = "spanfeed"
_TEXTS = ("user_message", "reason", "error_type")


class Status(enum.StrEnum):
    """Where a span stands."""

    STARTED = "started"
    PROGRESS = "progress"
    COMPLETED = "completed"
    FAILED = "failed"


class Category(enum.StrEnum):
    """What an event is about."""

    REALTIME = "realtime"
    SECURITY = "security"
    AUDIT = "audit"
    MONITORING = "monitoring"
    STREAMING = "streaming"
    ANALYTICS = "analytics"
    WORKFLOW = "workflow"


class Priority(enum.StrEnum):
    """How much an event matters."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class Reason(enum.StrEnum):
    """Why a span failed."""

    ERROR = "error"
    TIMEOUT = "timeout"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


def clean_text(text: str, limit: int | None = None) -> str:
    """`text` without characters that break a line, a terminal or a database; cut to `limit` characters."""
    cleaned = _UNSAFE.sub("", text)
    return cleaned if limit is None or len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def _cleaned(value: Any, depth: int = 0) -> Any:
    if depth > 32:
        raise InvalidEvent("event_data is nested deeper than 32")
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(k)): _cleaned(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item, depth + 1) for item in value]
    return value


def encode(value: Any) -> bytes:
    """The one JSON encoder. Unsafe characters are taken out. Raises InvalidEvent for what JSON cannot hold."""
    try:
        encoded = orjson.dumps(value)
        if not _UNSAFE_ENCODED.search(encoded):
            return encoded
    except (TypeError, RecursionError, ValueError):
        pass
    try:
        return orjson.dumps(_cleaned(value), default=lambda other: clean_text(str(other)))
    except (TypeError, RecursionError, ValueError) as error:
        raise InvalidEvent(f"event data is not JSON: {error}") from None


def _fragment(fields: dict[str, Any]) -> bytes:
    return encode(fields)[1:-1]


def _cut(fields: dict[str, Any]) -> dict[str, Any]:
    for name, limit in LIMITS.items():
        text = fields.get(name)
        if text is not None and len(text) > limit:
            fields[name] = clean_text(text, limit)
    return fields


def _object(name: str, value: dict[str, Any] | None, limit_bytes: int) -> bytes:
    encoded = encode(value)
    if len(encoded) > limit_bytes:
        raise InvalidEvent(f"{name} is larger than {limit_bytes} bytes of JSON")
    return encoded


def _redacted_object(encoded: bytes, limit_bytes: int, redactor: Redactor) -> orjson.Fragment:
    redacted = redactor.json(encoded)
    # A marker may be longer than what it replaces.
    return orjson.Fragment(redacted if len(redacted) <= limit_bytes else redaction.FAILED_JSON)


def check_type(event_type: str) -> str:
    """`event_type` if it is a legal name, else InvalidEvent."""
    if not _TYPE_NAME.fullmatch(event_type):
        raise InvalidEvent("an event type is 1 to 100 of the characters A-Z a-z 0-9 . _ -")
    return event_type


def is_session_id(text: str) -> bool:
    """Whether `text` may name a session: 1 to 64 of A-Z a-z 0-9 . _ : @ -."""
    return bool(_SESSION_NAME.fullmatch(text)) and ".." not in text


@dataclasses.dataclass(frozen=True)
class Identity:
    """What all events of one span share."""

    event_type: str
    category: Category
    priority: Priority
    session_id: str | None = None
    message_id: str | None = None
    user_id: str | None = None
    correlation_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    source_system: str = _OWN_SYSTEM

    def fragment(self, redactor: Redactor = redaction.DEFAULT) -> bytes:
        """The piece of the event's JSON. Raises InvalidEvent.

        Ids are not redacted: they are the names by which events are found.
        """
        check_type(self.event_type)
        fields = {f: getattr(self, f) for f in _IDENTITY_FIELDS}
        if self.source_system != _OWN_SYSTEM:
            fields["source_system"] = redactor.text(self.source_system)
        return _fragment(_cut(fields))


_IDENTITY_FIELDS = tuple(f.name for f in dataclasses.fields(Identity))


@dataclasses.dataclass(frozen=True)
class State:
    """What one event adds to its span's identity."""

    event_status: Status | None
    user_message: str | None = None
    event_data: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    reason: str | None = None
    error_type: str | None = None
    task_id: str | None = None

    def fragment(self, redactor: Redactor = redaction.DEFAULT) -> bytes:
        """The piece of the event's JSON, redacted. Over-long text is cut. Raises InvalidEvent for over-large data."""
        data = _object("event_data", self.event_data, DATA_LIMIT_BYTES)
        metadata = _object("metadata", self.metadata or {}, METADATA_LIMIT_BYTES)
        fields: dict[str, Any] = {
            "event_status": self.event_status,
            "user_message": self.user_message,
            "event_data": orjson.Fragment(data),
            "metadata": orjson.Fragment(metadata),
            "reason": self.reason,
            "error_type": self.error_type,
        }
        fragment = _fragment(_cut(dict(fields)))
        # One look at the whole: nearly all events hold nothing, and a text that is cut is looked at before the cut.
        if redactor.suspects(fragment) or len(self.user_message or "") > LIMITS["user_message"]:
            fields["event_data"] = _redacted_object(data, DATA_LIMIT_BYTES, redactor)
            fields["metadata"] = _redacted_object(metadata, METADATA_LIMIT_BYTES, redactor)
            for name in _TEXTS:
                fields[name] = None if fields[name] is None else redactor.text(str(fields[name]))
            fragment = _fragment(_cut(fields))
        # Celery's own number is no text of anybody's; left out, it does not look like one of a card.
        return fragment + b"," + _fragment(_cut({"task_id": self.task_id}))

    def redacted(self, redactor: Redactor) -> State:
        """The same state, ready to be written down. Raises InvalidEvent."""
        data = _redacted_object(encode(self.event_data), DATA_LIMIT_BYTES, redactor)
        metadata = _redacted_object(encode(self.metadata), METADATA_LIMIT_BYTES, redactor)
        texts: dict[str, Any] = {name: getattr(self, name) for name in _TEXTS}
        texts = {name: None if text is None else redactor.text(str(text)) for name, text in texts.items()}
        return dataclasses.replace(
            self,
            event_data=orjson.loads(orjson.dumps(data)),
            metadata=orjson.loads(orjson.dumps(metadata)),
            **texts,
        )


@dataclasses.dataclass(frozen=True)
class Event:
    """An event as it was written: `wire` is its JSON, byte for byte what every client is given."""

    id: int
    seq: int | None
    event_type: str
    event_status: str | None
    category: str
    priority: str
    message_id: str | None
    wire: bytes

    @classmethod
    def from_wire(cls, wire: bytes) -> Event:
        """The event that `wire` holds. Raises InvalidEvent."""
        try:
            data = orjson.loads(wire)
            return cls(
                id=data["id"],
                seq=data["seq"],
                event_type=data["event_type"],
                event_status=data["event_status"],
                category=data["category"],
                priority=data["priority"],
                message_id=data["message_id"],
                wire=wire,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidEvent(f"not an event: {type(error).__name__}") from None


def parse_cursor(text: str) -> int:
    """The one cursor parser: an event id as decimal digits. Raises InvalidCursor."""
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > _MAX_ID:
        raise InvalidCursor("a cursor is an event's id: decimal digits, below 2^53")
    return int(text)

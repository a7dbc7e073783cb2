"""What a WebSocket client can ask for over its open feed, read from its words. No I/O."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
from typing import Any

import orjson

from pipeline.errors import InvalidCursor
from pipeline.event import Category, Priority, Status, is_session_id, parse_cursor
from pipeline.store.events import Filters
from web.feed.wish import FILTERS_LIMIT, TYPE_PATTERN, Wish

_ECHO_LIMIT_CHARACTERS = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    """Whether we are there; `in_json`: as the answer is wanted."""

    in_json: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Subscribe:
    """A further session; `token` opens it, else whatever opened the feed."""

    wish: Wish
    token: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Unsubscribe:
    """A session that is wanted no more."""

    session_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Renew:
    """A new token in place of one whose time will be over."""

    token: str


@dataclasses.dataclass(frozen=True, slots=True)
class Unclear:
    """A subscription that cannot be understood, with what may have been its session's id."""

    session_id: str | None


def read(said: str) -> Ping | Subscribe | Unsubscribe | Renew | Unclear | None:
    """What is asked for; None when it is nothing that is known here."""
    if said.strip() == "ping":
        return Ping(in_json=False)
    with contextlib.suppress(orjson.JSONDecodeError):
        value = orjson.loads(said)
        if isinstance(value, dict):
            return _read_object(value)
    return None


def _read_object(value: dict[str, Any]) -> Ping | Subscribe | Unsubscribe | Renew | Unclear | None:
    match value.get("type"):
        case "ping":
            return Ping(in_json=True)
        case "token" if isinstance(value.get("token"), str):
            return Renew(value["token"])
        case "subscribe" | "unsubscribe" as kind:
            session_id = value.get("session_id")
            if not isinstance(session_id, str) or not is_session_id(session_id):
                return Unclear(session_id[:_ECHO_LIMIT_CHARACTERS] if isinstance(session_id, str) else None)
            return Unsubscribe(session_id) if kind == "unsubscribe" else _subscribe(session_id, value)
    return None


def _subscribe(session_id: str, value: dict[str, Any]) -> Subscribe | Unclear:
    epoch, token = value.get("epoch"), value.get("token")
    if not isinstance(epoch, str | None) or not isinstance(token, str | None):
        return Unclear(session_id)
    try:
        return Subscribe(Wish(session_id, _cursor(value.get("after")), epoch, _filters(value)), token)
    except (InvalidCursor, ValueError):
        return Unclear(session_id)


def _cursor(after: Any) -> int | None:
    if after is None:
        return None
    if isinstance(after, bool) or not isinstance(after, int | str):
        raise InvalidCursor
    return parse_cursor(str(after))


def _words(value: dict[str, Any], name: str) -> tuple[str, ...]:
    given = value.get(name, [])
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, list) or len(words) > FILTERS_LIMIT or not all(isinstance(word, str) for word in words):
        raise ValueError(name)
    return tuple(words)


def _filters(value: dict[str, Any]) -> Filters:
    """As the parameters of the address. Raises ValueError."""
    types = _words(value, "event_type")
    if not all(TYPE_PATTERN.fullmatch(name) for name in types):
        raise ValueError("event_type")

    def members(name: str, kind: type[enum.StrEnum]) -> tuple[str, ...]:
        return tuple(str(kind(word)) for word in _words(value, name))

    return Filters(types, members("event_status", Status), members("category", Category), members("priority", Priority))

"""Reading a request's query: cursors, limits, filters; garbage is a 422 that says what was wrong."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar

from flask import request

from pipeline.event import Category, Priority, Status, is_session_id, parse_cursor
from pipeline.store.events import Filters
from pipeline.store.moments import id_at
from web.errors import Problem, invalid
from web.feed.wish import FILTERS_LIMIT, TYPE_PATTERN


class HasId(Protocol):
    """A row with a number."""

    @property
    def id(self) -> int:
        """Higher for a newer row."""


Numbered = TypeVar("Numbered", bound=HasId)


def checked_session_id(session_id: str) -> str:
    """The session id of the path. Raises Problem."""
    if not is_session_id(session_id):
        raise invalid("path", "session_id", "a session id is 1 to 64 of A-Z a-z 0-9 . _ : @ -", "invalid_session_id")
    return session_id


def whole_number(name: str, default: int, lowest: int, highest: int) -> int:
    """An integer of the query within its range; ASCII digits only."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and lowest <= int(text) <= highest):
        raise invalid("query", name, f"must be a whole number from {lowest} to {highest}", "out_of_range", text)
    return int(text)


def text(name: str, limit_characters: int) -> str | None:
    """A text of the query, None without it or for an empty one. Raises Problem."""
    found = request.args.get(name)
    if found and (len(found) > limit_characters or "\x00" in found):
        message = f"must have at most {limit_characters} characters, none of them NUL"
        raise invalid("query", name, message, "invalid_text", found)
    return found or None


class Pager:
    """A page of rows that are numbered, the newest first, as the query asks for it. Raises Problem."""

    def __init__(self, statuses: Collection[str], highest_limit: int) -> None:
        self.limit = whole_number("limit", 50, 1, highest_limit)
        self.status = request.args.get("status")
        if self.status is not None and self.status not in statuses:
            raise invalid("query", "status", f"must be one of {', '.join(statuses)}", "enum", self.status)
        self.before = whole_number("before", 0, 0, 9_999_999_999) if "before" in request.args else None
        """Rows with a lower number are wanted; None: the newest."""

    @property
    def asked(self) -> int:
        """How many rows are read: one more tells that there are others."""
        return self.limit + 1

    def reply(self, name: str, rows: Sequence[Numbered], shown: Callable[[Numbered], dict[str, Any]]) -> dict[str, Any]:
        """The page, and where the next one goes on."""
        page, more = rows[: self.limit], len(rows) > self.limit
        return {name: list(map(shown, page)), "has_more": more, "next_before": page[-1].id if more else None}


def moment(name: str, text: str) -> datetime.datetime:
    """The time of a parameter: ISO 8601 with Z, an offset, none (UTC), or an offset whose + arrived as a space."""
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", text.strip())
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise invalid("query", name, "must be a time in ISO 8601", "invalid_time", text) from None
    return found.replace(tzinfo=datetime.UTC) if found.tzinfo is None else found.astimezone(datetime.UTC)


def cursor() -> int | None:
    """The id behind which events are wanted, from `after` or `since`; None without either."""
    after, since = request.args.get("after"), request.args.get("since")
    if after is not None and since is not None:
        raise Problem(
            422,
            "two_cursors",
            [
                {
                    "type": "two_cursors",
                    "loc": ["query", "since"],
                    "msg": "give after or since, not both",
                    "input": since,
                }
            ],
        )
    if after is not None:
        return parse_cursor(after)
    try:
        return None if since is None else id_at(moment("since", since))
    except OverflowError:
        raise invalid("query", "since", "is out of range", "invalid_time", since) from None


def wait_seconds(after: int | None, limit_seconds: int) -> int:
    """How long the client would wait for something behind its cursor; without a cursor there is nothing to wait for."""
    seconds = whole_number("wait", 0, 0, limit_seconds)
    if seconds and after is None:
        raise invalid("query", "wait", "needs a cursor, after or since", "no_cursor", seconds)
    return seconds


def _all(name: str) -> tuple[str, ...]:
    words = tuple(request.args.getlist(name))
    if len(words) > FILTERS_LIMIT:
        raise invalid("query", name, f"may be given {FILTERS_LIMIT} times", "too_many")
    return words


def _words(name: str, allowed: type[Status] | type[Category] | type[Priority]) -> tuple[str, ...]:
    words = _all(name)
    for word in words:
        if word not in [str(member) for member in allowed]:
            raise invalid("query", name, f"must be one of {', '.join(allowed)}", "enum", word)
    return words


def filters() -> Filters:
    """event_type (patterns allowed), event_status, category, priority; each repeatable."""
    types = _all("event_type")
    for name in types:
        if not TYPE_PATTERN.fullmatch(name):
            raise invalid("query", "event_type", "is not the name of a type", "invalid_type", name)
    return Filters(types, _words("event_status", Status), _words("category", Category), _words("priority", Priority))

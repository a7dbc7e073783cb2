"""Polling: a session's events as JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Blueprint, Response, request

from pipeline.errors import BusUnavailable
from pipeline.event import Event, encode, parse_cursor
from pipeline.store import conversations
from web import query
from web.auth import Scope, authorize, needs, principal
from web.extensions import limiter, requests_limit
from web.feed.history import History
from web.state import web_state

blueprint = Blueprint("events", __name__)


def _look_at(session_id: str) -> History:
    """The history of a session that the asker may read. An application's key may read unknown ones: they are empty."""
    state = web_state()
    query.checked_session_id(session_id)
    who = principal()
    if who.owns_only or who.session_id is not None:
        authorize(session_id, conversations.find_session(state.store, session_id), make=who.session_id is not None)
    return History(state.settings, state.bus, state.store)


def _page(session_id: str, events: list[Event], has_more: bool, cursor: int | None, clock: Clock) -> Response:
    head: dict[str, Any] = {
        "session_id": session_id,
        "total_count": len(events),
        "has_more": has_more,
        "next_after": events[-1].id if events else cursor,
        "epoch": clock.epoch,
    }
    if clock.reset is not None:
        head |= {"reset": True, "reason": clock.reset}
    body = encode(head)[:-1] + b',"events":[' + b",".join(event.wire for event in events) + b"]}"
    return Response(body, content_type="application/json")


@dataclasses.dataclass(frozen=True)
class Clock:
    """The log's epoch, and why the asker's cursor cannot be resumed from; without Redis nobody can tell."""

    epoch: str | None
    reset: str | None
    last_id: int | None = None

    def cursor(self, after: int) -> int | None:
        """The cursor of an empty page: never ahead of the log, as a time may be that a client has named."""
        return after if "since" not in request.args else None if self.last_id is None else min(after, self.last_id)


def _clock() -> Clock:
    try:
        epoch, last_id = web_state().bus.clock()
    except BusUnavailable:
        return Clock(None, None)
    asked = request.args.get("epoch")
    after = request.args.get("after")
    if after is not None and asked is not None and asked != epoch:
        return Clock(epoch, "epoch", last_id)
    return Clock(epoch, "future" if after is not None and parse_cursor(after) > last_id else None, last_id)


@blueprint.get("/chat/events/<session_id>")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def session_events(session_id: str) -> Response:
    """The oldest `limit` events behind the cursor, or the newest `limit` without one; ascending."""
    history = _look_at(session_id)
    limit = query.whole_number("limit", 50, 1, 500)
    after, filters = query.cursor(), query.filters()
    clock = _clock()
    if after is None:
        found = history.latest(session_id, limit + 1, filters)
        return _page(session_id, found[-limit:], len(found) > limit, None, clock)
    if clock.reset is not None:
        after = 0
    found = history.after(session_id, after, limit + 1, filters)
    return _page(session_id, found[:limit], len(found) > limit, clock.cursor(after), clock)


@blueprint.get("/chat/events/<session_id>/latest")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def latest_events(session_id: str) -> Response:
    """The newest `count` events, ascending."""
    history = _look_at(session_id)
    count = query.whole_number("count", 10, 1, 50)
    return _page(session_id, history.latest(session_id, count, query.filters()), False, None, _clock())

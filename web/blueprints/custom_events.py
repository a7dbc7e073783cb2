"""Custom events over HTTP: one, or many at once with a result for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request

from pipeline.errors import InvalidEvent, StoreUnavailable
from pipeline.event import DATA_LIMIT_BYTES, encode
from pipeline.store import conversations
from pipeline.unified import Emitted
from web import query
from web.auth import Principal, Scope, Target, authorize, needs, principal
from web.body import checked_object, decode, parse, read_raw
from web.custom_events import CustomEvent, accepted, is_application
from web.errors import Problem, unavailable
from web.extensions import count_events, limiter, requests_limit
from web.state import web_state

blueprint = Blueprint("custom_events", __name__)
_ONE, _LINES = "application/json", "application/x-ndjson"
_LINES_FACTOR = 10
"""So many lines, most of them empty, are looked at for each event that may be sent."""


@blueprint.post("/api/v1/events")
@limiter.limit(requests_limit)
@needs(Scope.EVENTS)
def send_events() -> Response:
    """One event: 201. A list, an object with `events`, or a line each: 200 with a result for each."""
    request.max_content_length = web_state().settings.events_body_limit_bytes
    raw = read_raw((_ONE, _LINES))
    who = principal()
    if request.mimetype == _LINES:
        return _many(who, _lines(raw))
    value = decode(raw, DATA_LIMIT_BYTES)
    if isinstance(value, dict) and "events" in value and "event_type" not in value and "type" not in value:
        value = value["events"]
    if isinstance(value, list):
        return _many(who, value)
    _count(1)
    event, found = _send(who, value)
    body = {"event_id": found.event_id, "id": found.log_id, "success": True, "event_type": event, "kept": found.kept}
    return Response(encode(body), 202 if found.kept else 201, content_type="application/json")


def _lines(raw: bytes) -> list[bytes]:
    """The lines that are not empty; not all of them where they are more than may be sent."""
    limit = web_state().settings.events_bulk_limit_events
    # A body of nothing but short lines would become many times as large.
    return [line for line in raw.split(b"\n", _LINES_FACTOR * limit) if line.strip()]


def _count(count: int) -> None:
    """Raises Problem for more events than are left: then none of the body's is sent."""
    if not count_events(count):
        per_minute = web_state().settings.custom_events_per_minute
        raise Problem(
            429, "too_many_events_a_minute", f"At most {per_minute} events may be sent a minute.", {"Retry-After": "5"}
        )


def _many(who: Principal, items: list[Any]) -> Response:
    limit = web_state().settings.events_bulk_limit_events
    if not is_application(who):
        raise Problem(403, "insufficient_scope", "Only an application's key may send several events at once.")
    if not items:
        raise Problem(422, "no_events", "There is no event in the body.")
    if len(items) > limit:
        raise Problem(413, "too_many_events", f"There are more than {limit} events in the body.")
    _count(len(items))
    results = list(_each(who, items))
    right = sum(result["success"] for result in results)
    body = {"accepted": right, "refused": len(results) - right, "results": results}
    return Response(encode(body), 200, content_type="application/json")


def _each(who: Principal, items: list[Any]) -> Iterator[dict[str, Any]]:
    for index, item in enumerate(items):
        try:
            _, found = _send(who, decode(item, DATA_LIMIT_BYTES) if isinstance(item, bytes) else item)
        except Problem as problem:
            kind = f"urn:spanfeed:problem:{problem.slug}"
            said = {"status": problem.status, "type": kind, "detail": problem.detail}
            yield {"index": index, "success": False, "error": said}
        else:
            yield {
                "index": index,
                "success": True,
                "event_id": found.event_id,
                "id": found.log_id,
                "kept": found.kept,
            }


def _send(who: Principal, value: Any) -> tuple[str, Emitted]:
    state = web_state()
    given = parse(CustomEvent, checked_object(value))
    try:
        event, wish = accepted(given, who, state.event_types, _may_use)
        found = state.events.emit_event(event, wish)
    except InvalidEvent as error:
        raise Problem(422, "invalid_event", str(error)) from None
    except StoreUnavailable:
        raise unavailable("the database") from None
    if not found:
        raise unavailable("the event system") if found.unavailable else Problem(422, "invalid_event", str(found.error))
    return event.event_type, found


def _may_use(session_id: str) -> None:
    query.checked_session_id(session_id)
    who = principal()
    if not is_application(who):
        session = conversations.find_session(web_state().store, session_id)
        target = Target(session_id, session.owner if session else None, must_exist=who.owns_only)
        authorize(who, Scope.EVENTS, target)

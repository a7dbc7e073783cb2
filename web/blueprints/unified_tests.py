"""Events by which a page tries whether its stream works, and what there is to count of events and streams."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from pipeline import catalog
from pipeline.catalog import Audience
from pipeline.event import Category
from pipeline.unified import UnifiedEvent
from pipeline.unified.event import EMITTED_BY
from pipeline.unified.system import Wish
from web.auth import Principal, Scope, needs, principal
from web.blueprints import metrics
from web.blueprints.unified_streams import optional_object
from web.body import parse
from web.custom_events import CUSTOM, FOR_USERS, check_type, is_application
from web.errors import Problem, unavailable
from web.event_statistics import gathered
from web.extensions import limiter, requests_limit
from web.replies import json_response
from web.schemas import TestEvent
from web.state import web_state
from web.unified_users import user_of

blueprint = Blueprint("unified_tests", __name__)
_DEFAULT_TYPE = "system.status"


@blueprint.get("/api/v1/events/stats")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def stats() -> Response:
    """What all processes have emitted and stored, and which streams are open."""
    state = web_state()
    return json_response(gathered(state.events, state.store, metrics.of_the_app().everybodys(), principal().id))


@blueprint.post("/api/v1/events/test-event")
@limiter.limit(requests_limit)
@needs(Scope.EVENTS)
def test_event() -> Response:
    """An event for the asker's own stream, or that of a user whom an application names."""
    who, given = principal(), parse(TestEvent, optional_object())
    user_id = user_of(who, given.user_id, "body")
    event_type = _checked(who, given)
    event_id = _emitted(who, event_type, given.data or {"status": "ok", "test": True}, Audience.PERSON, user_id)
    return _said("Test event triggered successfully", event_id, event_type)


@blueprint.post("/api/v1/events/broadcast-test")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def broadcast_test() -> Response:
    """An event for everyone."""
    who, given = principal(), parse(TestEvent, optional_object())
    event_type = _checked(who, given)
    event_id = _emitted(who, event_type, given.data or {"status": "ok", "test": True}, Audience.EVERYONE, None)
    return _said("Broadcast test event triggered successfully", event_id, event_type)


def _checked(who: Principal, given: TestEvent) -> str:
    """The type that is wanted. Raises Problem for one that the asker may not tell."""
    event_type = given.event_type or _DEFAULT_TYPE
    check_type(event_type)
    if not is_application(who) and not _is_harmless(event_type):
        raise Problem(403, "insufficient_scope", "Only an application's key may send such events.")
    return event_type


def _is_harmless(event_type: str) -> bool:
    """Whether operators, who see it too, would not take it for an alarm."""
    known = catalog.CATALOG.get(event_type)
    is_for_users = known is not None and known.category in FOR_USERS
    return is_for_users or event_type == _DEFAULT_TYPE or event_type.startswith(CUSTOM)


def _emitted(who: Principal, event_type: str, data: dict[str, Any], audience: Audience, user_id: str | None) -> str:
    # Whatever its type says, it is a page's own event: no rule takes it for an alarm.
    event = UnifiedEvent(Category.REALTIME, event_type, data=data, user_id=user_id)
    found = web_state().events.emit_event(event, Wish(audience, None, {EMITTED_BY: who.id}))
    if not found:
        raise unavailable("the event system") if found.unavailable else Problem(422, "invalid_event", str(found.error))
    return found.event_id


def _said(message: str, event_id: str, event_type: str) -> Response:
    return json_response({"message": message, "event_id": event_id, "success": True, "event_type": event_type})

"""Event types of one's own: defined, listed and removed by administrators."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from pipeline.event import encode
from pipeline.store.event_types import OwnType
from web.acts import audit_request
from web.auth import Scope, needs, principal
from web.body import parse, read_json
from web.errors import Problem
from web.event_types import Definition, own_type
from web.extensions import limiter, requests_limit
from web.state import web_state

blueprint = Blueprint("event_types", __name__)


def shown(kept: OwnType) -> dict[str, Any]:
    """A type as JSON, in the words of its definition."""
    return {
        "event_type": kept.name,
        "category": kept.category,
        "priority": kept.priority,
        "audience": kept.audience,
        "schema": kept.schema,
        "texts": kept.texts,
        "made_by": kept.made_by,
        "created_at": kept.created_at,
        "updated_at": kept.updated_at,
    }


def _reply(body: dict[str, Any], status: int = 200) -> Response:
    return Response(encode(body), status, content_type="application/json")


@blueprint.get("/api/v1/event-types")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def list_types() -> Response:
    """All types, by name."""
    return _reply({"event_types": [shown(kept) for kept in web_state().event_types.listed()]})


@blueprint.post("/api/v1/event-types")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def save_type() -> Response:
    """Defines a type: 201, or 200 when it takes the place of one."""
    made = own_type(parse(Definition, read_json(web_state().settings.body_limit_bytes)), principal().id)
    new = web_state().event_types.save(made)
    audit_request(f"event_type.{'create' if new else 'update'}", "event_type", made.name)
    return _reply(shown(made), 201 if new else 200)


@blueprint.delete("/api/v1/event-types/<name>")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def remove_type(name: str) -> Response:
    """Removes a type; events of it that are stored stay."""
    if not web_state().event_types.remove(name):
        raise Problem(404, "not_found", "There is no such event type")
    audit_request("event_type.delete", "event_type", name)
    return _reply({"message": f"Event type {name} removed"})

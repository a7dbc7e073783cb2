"""Health: public, and without anything worth knowing for a stranger."""

from __future__ import annotations

from flask import Blueprint, Response

from pipeline.errors import BusUnavailable, SpanfeedError, StoreUnavailable
from pipeline.store import migrate
from web.auth import public
from web.extensions import limiter
from web.replies import json_response
from web.state import WebState, web_state

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
@blueprint.get("/healthz")
@limiter.exempt
@public
def health() -> Response:
    """The process answers."""
    return json_response({"status": "healthy"})


@blueprint.get("/readyz")
@limiter.exempt
@public
def ready() -> Response:
    """The process can do its work: Redis and the database answer, and the schema is the newest.

    A recorder that is behind is told, but the process can do its work all the same.
    """
    state = web_state()
    checks: dict[str, str] = {}
    try:
        state.bus.ping()
        checks["redis"] = "ok"
    except BusUnavailable:
        checks["redis"] = "down"
    try:
        current = migrate.current_revision(state.store)
        checks["database"] = "ok" if current == migrate.newest_revision() else "not migrated: run spanfeed db upgrade"
    except (StoreUnavailable, SpanfeedError):
        checks["database"] = "down"
    good = all(word == "ok" for word in checks.values())
    if checks["redis"] == "ok":
        checks["recorder"] = _recorder(state)
    return json_response({"status": "ready" if good else "not ready", "checks": checks}, 200 if good else 503)


def _recorder(state: WebState) -> str:
    try:
        backlog = state.bus.log.backlog()
    except SpanfeedError:
        return "unknown"
    return "ok" if backlog < state.settings.recorder_alarm_events else f"behind: {backlog} events"

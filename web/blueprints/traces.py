"""Sessions, their runs, and the trace of a run, for administrators."""

from __future__ import annotations

import datetime
from typing import Any

from flask import Blueprint, Response, request

from pipeline.event import is_session_id
from pipeline.store import browsing, conversations
from pipeline.store.browsing import Run, SessionLine
from pipeline.store.moments import LAST_ID, id_at, moment_of, time_text
from web import query
from web.auth import Scope, needs
from web.errors import Problem, invalid
from web.extensions import limiter, requests_limit
from web.operations.links import Links
from web.operations.run_events import heard, standing
from web.operations.trace import status_of, trace_json
from web.replies import json_response
from web.state import web_state

blueprint = Blueprint("traces", __name__)
_PATH = "/api/v1/operations"
_PAGE_LIMIT = 200


@blueprint.get(f"{_PATH}/sessions")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def list_sessions() -> Response:
    """A page of the sessions, the last used one first."""
    limit = query.whole_number("limit", 50, 1, _PAGE_LIMIT)
    found = browsing.page_of_sessions(web_state().store, query.text("q", 200) or "", _before(), limit + 1)
    page, more = found[:limit], len(found) > limit
    last = page[-1].session if more else None
    following = None if last is None else f"{id_at(last.updated_at)}.{last.session_id}"
    return json_response({"sessions": list(map(_session_json, page)), "has_more": more, "next": following})


def _before() -> tuple[datetime.datetime, str] | None:
    text = request.args.get("before")
    if text is None:
        return None
    moment, _, session_id = text.partition(".")
    if not (moment.isascii() and moment.isdigit() and len(moment) < 19 and is_session_id(session_id)):
        raise invalid("query", "before", "must be the `next` of the page before", "invalid_cursor", text)
    return moment_of(min(int(moment), LAST_ID)), session_id


def _session_json(line: SessionLine) -> dict[str, Any]:
    one = line.session
    plain = {name: getattr(one, name) for name in ("session_id", "owner", "user_id", "language")}
    times = {name: time_text(getattr(one, name)) for name in ("created_at", "updated_at")}
    return {**plain, **times, "runs": line.runs, "last_status": line.last_status}


@blueprint.get(f"{_PATH}/sessions/<session_id>/runs")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def list_runs(session_id: str) -> Response:
    """A page of the session's runs, the newest first."""
    store = web_state().store
    query.checked_session_id(session_id)
    limit = query.whole_number("limit", 50, 1, _PAGE_LIMIT)
    before = query.whole_number("before", 0, 0, 9_999_999_999) if "before" in request.args else None
    if conversations.find_session(store, session_id) is None:
        raise Problem(404, "not_found", "There is no such session")
    found = browsing.page_of_runs(store, session_id, before, limit + 1)
    page, more = found[:limit], len(found) > limit
    reply = {"session_id": session_id, "runs": list(map(_run_json, page)), "has_more": more}
    return json_response({**reply, "next": page[-1].id if more else None})


def _run_json(run: Run) -> dict[str, Any]:
    status = run.status
    if status == "accepted":
        status = status_of(run, standing(web_state().bus, run.message_id))
    took = None if run.status == "accepted" else (run.updated_at - run.created_at).total_seconds() * 1000
    plain = "message_id reason language collection trace_id partial".split()
    times = {name: time_text(getattr(run, name)) for name in ("created_at", "updated_at")}
    return {**{name: getattr(run, name) for name in plain}, **times, "status": status, "duration_ms": took}


@blueprint.get(f"{_PATH}/runs/<message_id>")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def run_trace(message_id: str) -> Response:
    """The trace of a run, also while it is open."""
    state = web_state()
    if not is_session_id(message_id):
        raise Problem(404, "not_found", "There is no such run")
    stands = standing(state.bus, message_id)
    run = browsing.find_run(state.store, message_id)
    session_id = stands.session_id or (run.session_id if run else "")
    limit = state.settings.operations_run_limit_events
    events = heard(state.bus, state.store, message_id, session_id, run, limit)
    if run is None and not stands.status and not events.events:
        raise Problem(404, "not_found", "There is no such run")
    return json_response(trace_json(message_id, run, stands, events, Links(state.settings)))

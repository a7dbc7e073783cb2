"""The operators' overview and their table of events, for administrators."""

from __future__ import annotations

import datetime
import itertools
from typing import cast

from flask import Blueprint, Response, current_app, request

from pipeline.errors import InvalidCursor
from pipeline.event import encode, parse_cursor
from pipeline.store import browsing
from pipeline.store import overview as counts
from pipeline.store.browsing import Wanted
from pipeline.store.moments import id_at
from web import query
from web.acts import audit_request
from web.auth import Scope, needs
from web.blueprints import metrics
from web.errors import invalid
from web.extensions import limiter, requests_limit
from web.operations import event_table, spans_of_time
from web.operations.feed_lag import FeedLag
from web.operations.gauges import gauges
from web.operations.overview_json import overview_json
from web.replies import json_response
from web.state import web_state

blueprint = Blueprint("operations", __name__)
_PATH = "/api/v1/operations"
_PAGE_LIMIT = 500
_NARROWS = (
    *("event_type", "event_status", "category", "priority"),
    *("session_id", "user_id", "message_id", "text", "range", "from", "to"),
)
"""What an export is asked by, and the audit trail keeps."""
_LAG = "spanfeed-feed-lag"


def _lag() -> FeedLag:
    # Of two threads that ask at the same moment the first one's stays.
    return cast(FeedLag, current_app.extensions.setdefault(_LAG, FeedLag()))


@blueprint.get(f"{_PATH}/overview")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def overview() -> Response:
    """Load, errors and durations of a range of time, and how everything stands now."""
    state = web_state()
    begin, end = spans_of_time.bounded("1h")
    filters = query.filters()
    kept = datetime.timedelta(hours=state.settings.retention_overview_minutes_hours)
    minutes_from = id_at(datetime.datetime.now(datetime.UTC) - kept)
    asked = counts.range_of(id_at(begin), id_at(end), minutes_from)
    kinds = counts.read(state.store, asked, filters)
    now = gauges(state.settings, state.bus, metrics.of_the_app().everybodys(), _lag())
    return json_response(overview_json(asked, filters, kinds, now))


@blueprint.get(f"{_PATH}/events")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def list_events() -> Response:
    """A page of the stored events of all sessions, newest first."""
    state = web_state()
    limit = query.whole_number("limit", 100, 1, _PAGE_LIMIT)
    before = _before()
    look_at = state.settings.operations_look_limit_events
    found, following = browsing.newest_events(state.store, _wanted(), before, limit, look_at)
    told = b",".join(event.wire for event in found)
    rest = encode({"has_more": following is not None, "next": following})
    return Response(b'{"events":[' + told + b"]," + rest[1:], content_type="application/json")


@blueprint.get(f"{_PATH}/events/export")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def export_events() -> Response:
    """The same events as a file, CSV or a JSON event a line."""
    state, settings = web_state(), web_state().settings
    form = request.args.get("format", "csv")
    if form not in event_table.MEDIA:
        raise invalid("query", "format", f"must be one of {', '.join(event_table.MEDIA)}", "enum", form)
    wanted = _wanted()
    limit, look_at = settings.operations_export_limit_events, settings.operations_look_limit_events
    pages = event_table.pages(state.store, wanted, limit, look_at)
    # The first page now, while a refusal can still be told.
    first = next(pages, [])
    asked = {name: request.args.getlist(name) for name in _NARROWS if name in request.args}
    audit_request("events.export", "events", None, format=form, asked=asked)
    name = f"events-{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    text = event_table.lines(itertools.chain([first], pages), form)
    return Response(text, headers=headers, content_type=event_table.MEDIA[form])


def _before() -> int | None:
    text = request.args.get("before")
    try:
        return None if text is None else parse_cursor(text)
    except InvalidCursor as error:
        raise invalid("query", "before", str(error), "invalid_cursor", text) from None


def _wanted() -> Wanted:
    begin, end = spans_of_time.ids()
    return Wanted(
        query.filters(),
        session_id=query.text("session_id", 64),
        user_id=query.text("user_id", 128),
        message_id=query.text("message_id", 64),
        text=query.text("text", 200),
        from_id=begin,
        upto_id=end,
    )

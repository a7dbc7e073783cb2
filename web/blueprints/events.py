"""Polling: a session's events as JSON."""

from __future__ import annotations

import dataclasses
from typing import cast

from flask import Blueprint, Response, current_app, request

from pipeline.store import conversations
from web import conditional, query
from web.auth import Scope, Target, authorize, needs, principal
from web.blueprints import feed
from web.extensions import limiter, requests_limit
from web.feed.long_polls import LongPolls
from web.feed.polls import Ask, Polls
from web.feed.snapshot import Snapshots
from web.state import web_state

blueprint = Blueprint("events", __name__)
_NAME = "spanfeed-polling"
_MESSAGES_LIMIT = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Polling:
    """What one app's polls share."""

    long_polls: LongPolls
    snapshots: Snapshots


def polling() -> Polling:
    """The app's; made at the first question."""
    state = web_state()
    if _NAME not in current_app.extensions:
        polls = Polls(state.settings, state.bus, state.store)
        seats = feed.seats()
        long_polls = LongPolls(state.settings, polls, state.listener, lambda: seats.taken)
        made = Polling(long_polls, Snapshots(state.settings, state.bus, state.store))
        # Of two threads that ask at the same moment the first one's stays.
        current_app.extensions.setdefault(_NAME, made)
    return cast(Polling, current_app.extensions[_NAME])


def _let_in(session_id: str) -> None:
    """Lets in whoever may read the session. An application's key may read unknown ones: they are empty."""
    conditional.wants_json()
    query.checked_session_id(session_id)
    who = principal()
    if who.owns_only or who.session_id is not None:
        session = conversations.find_session(web_state().store, session_id)
        target = Target(session_id, session.owner if session else None, must_exist=who.owns_only)
        authorize(who, Scope.READ, target)


@blueprint.get("/chat/events/<session_id>")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def session_events(session_id: str) -> Response:
    """The oldest `limit` events behind the cursor, or the newest `limit` without one; ascending."""
    _let_in(session_id)
    limit = query.whole_number("limit", 50, 1, 500)
    after, filters = query.cursor(), query.filters()
    wait_seconds = query.wait_seconds(after, web_state().settings.poll_wait_limit_seconds)
    ask = Ask(session_id, after, limit, filters, request.args.get("epoch"), "since" in request.args)
    page, cut = polling().long_polls.page(ask, wait_seconds)
    return conditional.answer(page.body, page.tag, {} if cut is None else {"X-Wait-Cut": cut})


@blueprint.get("/chat/events/<session_id>/latest")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def latest_events(session_id: str) -> Response:
    """The newest `count` events, ascending."""
    _let_in(session_id)
    count = query.whole_number("count", 10, 1, 50)
    page = polling().long_polls.polls.page(Ask(session_id, None, count, query.filters(), tells_more=False))
    return conditional.answer(page.body, page.tag)


@blueprint.get("/chat/events/<session_id>/snapshot")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def session_snapshot(session_id: str) -> Response:
    """Where the session's newest messages stand, and its newest events, for a page that comes late."""
    _let_in(session_id)
    messages = query.whole_number("messages", 5, 1, _MESSAGES_LIMIT)
    limit = query.whole_number("limit", 50, 1, 500)
    body, tag = polling().snapshots.read(session_id, messages, limit)
    return conditional.answer(body, tag)

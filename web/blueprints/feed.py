"""The WebSocket feed: Flask checks, flask-sock shakes hands, `web.feed.connection` does the rest."""

from __future__ import annotations

import collections
import contextlib
import logging
import threading
import uuid
from typing import Any

from flask import Blueprint, Response, g, request
from simple_websocket import Server

from pipeline.errors import InvalidCursor, StoreUnavailable
from pipeline.event import parse_cursor
from pipeline.store import conversations
from web import query
from web.auth import Scope, authorize, principal
from web.errors import Problem, unavailable
from web.extensions import sock
from web.feed.connection import Connection, Wish
from web.feed.history import History
from web.state import WebState, web_state

logger = logging.getLogger(__name__)
blueprint = Blueprint("feed", __name__)
_ENDPOINT = "feed.session_feed"
_OPEN_MESSAGES_LIMIT = 5
_VERSION_HEADERS = {"Sec-WebSocket-Version": "13", "Upgrade": "websocket", "Connection": "Upgrade"}


class NoThread:
    """Stands where simple_websocket would start a reading thread: the connection reads for itself."""

    name = "(_thread)"

    def __init__(self, target: Any = None) -> None:
        del target

    def start(self) -> None:
        """Starts nothing."""


class Places:
    """How many feeds this process serves, in all and by session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Keeps the counts right between the threads of the server."""
        self._by_session: collections.Counter[str] = collections.Counter()

    def take(self, session_id: str, state: WebState) -> None:
        """Takes a place; `give_back` returns it. Raises Problem when there is none."""
        with self._lock:
            everywhere, here = self._by_session.total(), self._by_session[session_id]
            if here >= state.settings.feed_sockets_per_session_limit:
                raise Problem(429, "too_many_feeds", "This session has too many open feeds.", {"Retry-After": "5"})
            if everywhere >= state.settings.feed_sockets_limit:
                raise Problem(
                    503, "no_place", "This server has too many open feeds. Please try again.", {"Retry-After": "5"}
                )
            self._by_session[session_id] += 1

    def give_back(self, session_id: str) -> None:
        """Returns a place."""
        with self._lock:
            self._by_session[session_id] -= 1
            if not self._by_session[session_id]:
                del self._by_session[session_id]


places = Places()


@blueprint.before_app_request
def refuse_before_the_handshake() -> Response | None:
    """flask-sock shakes hands before the view runs, so whoever is not let in is told here, over HTTP."""
    if request.endpoint != _ENDPOINT:
        return None
    session_id = query.checked_session_id(str((request.view_args or {}).get("session_id", "")))
    _check_handshake()
    _let_in(session_id)
    try:
        after = request.args.get("after")
        g.wish = Wish(
            session_id, None if after is None else parse_cursor(after), request.args.get("epoch"), query.filters()
        )
    except InvalidCursor as error:
        raise Problem(400, "invalid_cursor", str(error)) from None
    places.take(session_id, web_state())
    g.place = session_id
    # With the extension stripped nothing is compressed: a small frame cannot become a large one.
    request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    return None


@blueprint.teardown_app_request
def give_place_back(_: BaseException | None) -> None:
    """The feed has ended, or its handshake has failed."""
    place = g.pop("place", None)
    if place is not None:
        places.give_back(place)


def _check_handshake() -> None:
    """The parts of a handshake (RFC 6455, 4.2.1) that the library would answer with an error of the server."""
    headers = request.headers
    if headers.get("Sec-WebSocket-Version") != "13":
        raise Problem(426, "websocket_version", "Only WebSocket version 13 is spoken here.", _VERSION_HEADERS)
    words = {word.strip().lower() for word in headers.get("Connection", "").split(",")}
    if "upgrade" not in words or not headers.get("Sec-WebSocket-Key", "").strip():
        raise Problem(400, "bad_handshake", "This is not a whole WebSocket handshake.")


def _let_in(session_id: str) -> None:
    state = web_state()
    anonymous = g.get("principal") is None and g.get("problem") is None
    if anonymous and state.settings.open_feeds and _is_unguessable(session_id):
        return
    who = principal()
    if Scope.READ not in who.scopes:
        raise Problem(403, "insufficient_scope", f"{Scope.READ} permission required")
    if who.owns_only or who.session_id is not None:
        try:
            session = conversations.find_session(state.store, session_id)
        except StoreUnavailable:
            raise unavailable("the database") from None
        authorize(session_id, session, make=who.session_id is not None)


def _is_unguessable(session_id: str) -> bool:
    with contextlib.suppress(ValueError):
        return uuid.UUID(session_id).version == 4
    return False


def _open_messages(state: WebState, session_id: str) -> list[str]:
    """The session's newest messages that are not answered yet."""
    try:
        found = conversations.unfinished(state.store, session_id, _OPEN_MESSAGES_LIMIT)
    except StoreUnavailable:
        return []
    return [message.message_id for message in found]


@sock.route("/chat/ws/events/<session_id>", bp=blueprint)  # type: ignore[untyped-decorator]
def session_feed(socket: Server, session_id: str) -> None:
    """A session's events, live."""
    state = web_state()
    connection = Connection(
        socket.sock,
        socket.ws,
        g.wish,
        state.settings,
        state.bus,
        History(state.settings, state.bus, state.store),
        lambda session: _open_messages(state, session),
    )
    connection.run(state.listener)
    # The connection has said its own goodbye; flask-sock is not to send another.
    socket.connected = False

"""The WebSocket feed: Flask checks, flask-sock shakes hands, then a relay or a thread of ours serves the socket."""

from __future__ import annotations

import collections
import contextlib
import logging
import socket
import threading
import uuid
from typing import Any, cast

from flask import Blueprint, Response, current_app, g, request
from simple_websocket import Server

from pipeline.errors import InvalidCursor, StoreUnavailable
from pipeline.event import parse_cursor
from pipeline.store import conversations
from web import query
from web.auth import Scope, authorize, principal
from web.errors import Problem, unavailable
from web.extensions import sock
from web.feed.connection import Connection
from web.feed.past import Past
from web.feed.transports import WEBSOCKET
from web.feed.wish import Wish
from web.handover import NoPlace, Relays, Seat, read_ahead_of, socket_of
from web.state import WebState, web_state

logger = logging.getLogger(__name__)
blueprint = Blueprint("feed", __name__)
_ENDPOINT = "feed.session_feed"
_RETRY_AFTER = {"Retry-After": "5"}
_VERSION_HEADERS = {"Sec-WebSocket-Version": "13", "Upgrade": "websocket", "Connection": "Upgrade"}


class NoThread:
    """Stands where simple_websocket would start a reading thread: the connection reads for itself."""

    name = "(_thread)"

    def __init__(self, target: Any = None) -> None:
        del target

    def start(self) -> None:
        """Starts nothing."""


def _full(everywhere: bool) -> Problem:
    if everywhere:
        return Problem(503, "no_place", "This server has too many open feeds. Please try again.", _RETRY_AFTER)
    return Problem(429, "too_many_feeds", "This session has too many open feeds.", _RETRY_AFTER)


class Places:
    """How many feeds this process serves by its own threads, in all and by session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Keeps the counts right between the threads of the server."""
        self._by_session: collections.Counter[str] = collections.Counter()

    @property
    def taken(self) -> int:
        """How many threads serve feeds now."""
        with self._lock:
            return self._by_session.total()

    def take(self, session_id: str, state: WebState) -> None:
        """Takes a place; `give_back` returns it. Raises Problem when there is none."""
        with self._lock:
            everywhere, here = self._by_session.total(), self._by_session[session_id]
            if here >= state.settings.feed_sockets_per_session_limit:
                raise _full(everywhere=False)
            if everywhere >= state.settings.feed_sockets_limit:
                raise _full(everywhere=True)
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
    let_in(session_id, may_be_open=True)
    g.wish = wish_of(session_id, WEBSOCKET.name, request.args.get("after"))
    take_place(session_id)
    # With the extension stripped nothing is compressed: a small frame cannot become a large one.
    request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    return None


@blueprint.teardown_app_request
def give_place_back(_: BaseException | None) -> None:
    """The feed has ended here or was handed over, or its handshake has failed."""
    seat = cast(Seat | None, g.pop("seat", None))
    if seat is not None:
        seat.close()
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


def let_in(session_id: str, may_be_open: bool = False) -> None:
    """Lets in whoever may read the session; `may_be_open`: an open feed's address is enough. Raises Problem."""
    state = web_state()
    anonymous = g.get("principal") is None and g.get("problem") is None
    if may_be_open and anonymous and state.settings.open_feeds and _is_unguessable(session_id):
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


def wish_of(session_id: str, transport: str, after: str | None) -> Wish:
    """What the request asks for. Raises Problem."""
    try:
        cursor = None if after is None else parse_cursor(after)
    except InvalidCursor as error:
        raise Problem(400, "invalid_cursor", str(error)) from None
    return Wish(session_id, cursor, request.args.get("epoch"), query.filters(), transport)


def _relays() -> Relays:
    made = current_app.extensions.setdefault("spanfeed-relays", Relays(web_state().settings))
    return cast(Relays, made)


def take_place(session_id: str) -> None:
    """Takes a place for the request's feed, at a relay or, when none answers, in this process. Raises Problem."""
    if socket_of(request.environ) is not None:
        try:
            g.seat = _relays().seat(session_id)
        except NoPlace as full:
            raise _full(full.everywhere) from None
    if g.get("seat") is None:
        _take_thread(session_id)


def _take_thread(session_id: str) -> None:
    places.take(session_id, web_state())
    g.place = session_id


def serve(client: socket.socket, wish: Wish) -> None:
    """Hands the client's socket over, or serves it until it goes, on the place that was taken before."""
    state = web_state()
    read_ahead = read_ahead_of(request.environ)
    seat = cast(Seat | None, g.get("seat"))
    if seat is not None:
        if seat.give(client, wish, read_ahead):
            return
        try:
            _take_thread(wish.session_id)
        except Problem:
            # The handshake has been answered already: the client finds its connection closed, and comes back.
            return
    past = Past(state.settings, state.bus, state.store)
    Connection(client, wish, state.settings, past, read_ahead).run(state.listener)


@sock.route("/chat/ws/events/<session_id>", bp=blueprint)  # type: ignore[untyped-decorator]
def session_feed(server: Server, session_id: str) -> None:
    """A session's events, live."""
    serve(server.sock, g.wish)
    # The feed's last words have been said, or will be said elsewhere; flask-sock is not to send others.
    server.connected = False

"""The WebSocket feed: Flask checks, flask-sock shakes hands, then a relay or a thread of ours serves the socket."""

from __future__ import annotations

import logging
import socket
from typing import Any, cast

from flask import Blueprint, Response, current_app, g, request
from simple_websocket import Server

from pipeline.errors import InvalidCursor, StoreUnavailable
from pipeline.event import parse_cursor
from web import query
from web.access import Rights, is_unguessable, may_follow
from web.auth import Principal, Scope, not_found, own_policy, principal, require
from web.cors import allowed_origin
from web.errors import Problem, unavailable
from web.extensions import FEED_ENDPOINT, count_opening, sock
from web.feed.admission import Admission
from web.feed.connection import Connection, Rooms
from web.feed.key_watch import KeyWatch
from web.feed.past import Past
from web.feed.seats import Claim, Full, Seats
from web.feed.transports import WEBSOCKET
from web.feed.wish import Scope as FeedScope
from web.feed.wish import Wish
from web.handover import NoPlace, Relays, Seat, read_ahead_of, socket_of
from web.state import web_state

logger = logging.getLogger(__name__)
blueprint = Blueprint("feed", __name__)
_RETRY_AFTER = {"Retry-After": "5"}
_VERSION_HEADERS = {"Sec-WebSocket-Version": "13", "Upgrade": "websocket", "Connection": "Upgrade"}


class NoThread:
    """Stands where simple_websocket would start a reading thread: the connection reads for itself."""

    name = "(_thread)"

    def __init__(self, target: Any = None) -> None:
        del target

    def start(self) -> None:
        """Starts nothing."""


_WHOSE = {Full.SESSION: "This session has", Full.USER: "You have", Full.ADDRESS: "Your address has"}


def _full(full: Full, wish: Wish) -> Problem:
    if full is Full.PROCESS:
        return Problem(503, "no_place", "This server has too many open feeds. Please try again.", _RETRY_AFTER)
    # The second seed's clients know 429 only for the rate at which they come.
    status = 429 if wish.scope is FeedScope.SESSION else 503
    return Problem(status, "too_many_feeds", f"{_WHOSE[full]} too many open feeds.", _RETRY_AFTER)


def seats() -> Seats:
    """The places of those feeds that threads of this process serve."""
    found = current_app.extensions.get("spanfeed-seats")
    if found is None:
        settings = web_state().settings
        made = Seats(settings, settings.feed_sockets_limit)
        # Another thread may have made them meanwhile.
        found = current_app.extensions.setdefault("spanfeed-seats", made)
    return cast(Seats, found)


@blueprint.before_app_request
def refuse_before_the_handshake() -> Response | None:
    """flask-sock shakes hands before the view runs, so whoever is not let in is told here, over HTTP."""
    if request.endpoint != FEED_ENDPOINT:
        return None
    session_id = query.checked_session_id(str((request.view_args or {}).get("session_id", "")))
    count_opening()
    _check_handshake()
    rights = let_in(session_id, may_be_open=True)
    g.wish = wish_of(session_id, WEBSOCKET.name, request.args.get("after"))
    take_place(g.wish, rights)
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
        seats().give_back(place)


def _check_handshake() -> None:
    """The parts of a handshake (RFC 6455, 4.2.1) that the library would answer with an error of the server."""
    headers = request.headers
    if headers.get("Sec-WebSocket-Version") != "13":
        raise Problem(426, "websocket_version", "Only WebSocket version 13 is spoken here.", _VERSION_HEADERS)
    words = {word.strip().lower() for word in headers.get("Connection", "").split(",")}
    if "upgrade" not in words or not headers.get("Sec-WebSocket-Key", "").strip():
        raise Problem(400, "bad_handshake", "This is not a whole WebSocket handshake.")


def rights_of(who: Principal) -> Rights:
    """What whoever asks may read over a feed that is opened now."""
    origin = allowed_origin(web_state().settings)
    return Rights(who.id, who.session_id, who.owns_only, who.expires_at, who.key_id, origin)


def let_in(session_id: str, may_be_open: bool = False) -> Rights:
    """Lets in whoever may read the session; `may_be_open`: an open feed's address is enough. Raises Problem."""
    state = web_state()
    anonymous = g.get("principal") is None and g.get("problem") is None
    if may_be_open and anonymous and state.settings.open_feeds and is_unguessable(session_id):
        return Rights()
    who = principal()
    require(who, Scope.READ)
    rights = rights_of(who)
    try:
        allowed = may_follow(rights, session_id, state.store, state.settings.open_feeds)
    except StoreUnavailable:
        raise unavailable("the database") from None
    if not allowed:
        raise not_found()
    return rights


def wish_of(
    session_id: str, transport: str, after: str | None, scope: FeedScope = FeedScope.SESSION, user_id: str = ""
) -> Wish:
    """What the request asks for. Raises Problem."""
    try:
        cursor = None if after is None else parse_cursor(after)
    except InvalidCursor as error:
        raise Problem(400, "invalid_cursor", str(error)) from None
    return Wish(session_id, cursor, request.args.get("epoch"), query.filters(), transport, scope, user_id)


def _relays() -> Relays:
    found = current_app.extensions.get("spanfeed-relays")
    if found is None:
        found = current_app.extensions.setdefault("spanfeed-relays", Relays(web_state().settings))
    return cast(Relays, found)


def _key_watch(admission: Admission) -> KeyWatch:
    found = current_app.extensions.get("spanfeed-key-watch")
    if found is None:
        made = KeyWatch(admission.ring.ended, web_state().settings.key_cache_ms / 1000)
        found = current_app.extensions.setdefault("spanfeed-key-watch", made)
    return cast(KeyWatch, found)


def take_place(wish: Wish, rights: Rights) -> None:
    """Takes a place for the request's feed, at a relay or, when none answers, in this process. Raises Problem."""
    address = "" if rights.is_application else request.remote_addr or ""
    g.rights = rights
    g.claim = Claim(wish.session_id, rights.user, address, wish.transport)
    if socket_of(request.environ) is not None:
        try:
            g.seat = _relays().seat(g.claim, wish.user_id)
        except NoPlace as none:
            raise _full(none.full, wish) from None
    if g.get("seat") is None:
        _take_thread(wish)


def _take_thread(wish: Wish) -> None:
    full = seats().take(g.claim)
    if full is not None:
        raise _full(full, wish)
    g.place = g.claim


def serve(client: socket.socket, wish: Wish) -> None:
    """Hands the client's socket over, or serves it until it goes, on the place that was taken before."""
    state = web_state()
    read_ahead = read_ahead_of(request.environ)
    seat = cast(Seat | None, g.get("seat"))
    if seat is not None:
        if seat.give(client, wish, g.rights, read_ahead):
            return
        try:
            _take_thread(wish)
        except Problem:
            # The handshake has been answered already: the client finds its connection closed, and comes back.
            return
    past = Past(state.settings, state.bus, state.store)
    admission = Admission(state.settings, state.store, state.doors.ring)
    rooms = Rooms(state.settings, past, admission, seats(), state.listener, _key_watch(admission))
    Connection(client, wish, g.rights, rooms, read_ahead).run()


@sock.route("/chat/ws/events/<session_id>", bp=blueprint)  # type: ignore[untyped-decorator]
@own_policy
def session_feed(server: Server, session_id: str) -> None:
    """A session's events, live."""
    serve(server.sock, g.wish)
    # The feed's last words have been said, or will be said elsewhere; flask-sock is not to send others.
    server.connected = False

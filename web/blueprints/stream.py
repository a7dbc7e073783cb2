"""Server-Sent Events: a session's events for browsers' EventSource, served as the WebSocket feed is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response, request

from web import query
from web.access import Rights
from web.auth import Scope, needs
from web.blueprints import feed
from web.errors import Problem
from web.extensions import limited_openings, limiter, requests_limit
from web.feed.transports import STREAM
from web.feed.wish import Wish
from web.handover import socket_of

blueprint = Blueprint("stream", __name__)
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Served(Response):
    """The response to a request whose socket was answered already, or is answered elsewhere."""

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Tells gunicorn that nothing is to be written."""
        raise StopIteration


@blueprint.get("/chat/events/<session_id>/stream")
@limiter.limit(requests_limit)
@limited_openings
@needs(Scope.READ)
def session_stream(session_id: str) -> Response:
    """A session's events, live; `Last-Event-ID` or `after` resumes."""
    query.checked_session_id(session_id)
    rights = feed.let_in(session_id)
    return opened(feed.wish_of(session_id, STREAM.name, cursor()), rights)


def cursor() -> str | None:
    """Behind which event the client wants to go on, as it says so: a browser that comes back has read further."""
    return request.headers.get("Last-Event-ID", request.args.get("after"))


def opened(wish: Wish, rights: Rights) -> Response:
    """Serves a stream to somebody who may read it. Raises Problem."""
    if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        raise Problem(406, "http_version", "A stream needs HTTP/1.1; nginx speaks it with proxy_http_version 1.1.")
    if request.method == "HEAD":
        return Response(headers=_HEADERS, content_type="text/event-stream; charset=utf-8")
    client = socket_of(request.environ)
    if client is None:
        raise Problem(501, "no_socket", "This web server cannot stream; run Spanfeed under gunicorn.")
    feed.take_place(wish, rights)
    feed.serve(client, wish)
    return Served()

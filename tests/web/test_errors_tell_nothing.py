"""Whatever goes wrong, and whoever notices: a stranger reads no path, no query, no address and no name of a library."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import sqlalchemy.exc
from werkzeug.exceptions import InternalServerError

from pipeline.errors import BusUnavailable, StoreUnavailable
from tests.parts.stack import KEY, Stack
from tests.web.site import APP_KEY, Site, assert_problem
from tests.web.wire import Wire
from web.auth import public

_INSIDE = "SELECT secret FROM keys WHERE path = '/srv/spanfeed/web/auth.py' -- redis://:hunter2@10.0.0.7:6379"
_TELLING = re.compile(
    r"Traceback|File \"|\.py\b|/srv/|/tmp/|/home/|/usr/|site-packages|SELECT |INSERT |sqlite|sqlalchemy|psycopg"
    r"|redis://|postgres|hunter2|10\.0\.0\.7|gunicorn|werkzeug|flask|python|<module>|Exception|line \d+",
    re.IGNORECASE,
)
RAISED: dict[str, Callable[[], BaseException]] = {
    "a fault": lambda: RuntimeError(_INSIDE),
    "a missing key": lambda: KeyError(_INSIDE),
    "a file": lambda: FileNotFoundError(2, _INSIDE, "/srv/spanfeed/var/key_pepper"),
    "a text": lambda: UnicodeDecodeError("utf-8", _INSIDE.encode(), 0, 1, _INSIDE),
    "too deep": lambda: RecursionError(_INSIDE),
    "no memory": lambda: MemoryError(_INSIDE),
    "the database's own": lambda: sqlalchemy.exc.OperationalError(_INSIDE, {"secret": _INSIDE}, Exception(_INSIDE)),
    "Redis's own": lambda: redis.ConnectionError(_INSIDE),
    "the database": lambda: StoreUnavailable(_INSIDE),
    "the bus": lambda: BusUnavailable(_INSIDE),
    "Flask's own": lambda: InternalServerError(original_exception=RuntimeError(_INSIDE)),
}


def _tells(text: str) -> list[str]:
    return _TELLING.findall(text)


@pytest.fixture(scope="module")
def broken(site: Site) -> Site:
    """An app with a route that goes wrong in every way."""

    @public
    def fail(name: str) -> str:
        error = RAISED[name]()
        raise error

    site.app.add_url_rule("/broken/<name>", view_func=fail)
    return site


@pytest.mark.parametrize("name", RAISED)
def test_a_fault_inside_is_a_number_and_an_id(broken: Site, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Without this a stranger who finds one fault would be told where to look for the next one."""
    reply = broken.get(f"/broken/{name}")
    status = 503 if name in {"the database", "the bus"} else 500
    assert_problem(reply, status)
    assert _tells(f"{reply.headers}{reply.text}") == []
    body: dict[str, Any] = reply.json or {}
    assert body["instance"] == f"/requests/{reply.headers['X-Request-ID']}"
    if name in {"a fault", "a file", "the database's own"}:
        # Whoever runs it finds it by that id.
        assert reply.headers["X-Request-ID"] in caplog.text


REFUSED: dict[str, tuple[str, str, str | None, dict[str, Any], int]] = {
    "400": ("POST", "/chat/", KEY, {"data": b"{", "content_type": "application/json"}, 400),
    "400 twice": ("GET", "/chat/events/s", KEY, {"headers": {"Authorization": "Bearer another"}}, 400),
    "401": ("GET", "/chat/s", None, {}, 401),
    "403": ("DELETE", "/chat/s", APP_KEY, {}, 403),
    "404": ("GET", "/nope/../../etc/passwd", KEY, {}, 404),
    "404 session": ("GET", "/chat/none", KEY, {}, 404),
    "404 file": ("GET", "/static/app/..%2f..%2fauth.py", None, {}, 404),
    "405": ("PUT", "/health", KEY, {}, 405),
    "406": ("GET", "/chat/events/s", KEY, {"headers": {"Accept": "application/xml"}}, 406),
    "413": ("POST", "/chat/", KEY, {"data": b"x" * 300_000, "content_type": "application/json"}, 413),
    "415": ("POST", "/chat/", KEY, {"data": b"x", "content_type": "text/plain"}, 415),
    "422 body": ("POST", "/chat/", KEY, {"json": {"message": {"a": 1}}}, 422),
    "422 query": ("GET", "/chat/events/s?limit=' OR 1=1--", KEY, {}, 422),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_tells_what_the_client_did_and_no_more(site: Site, name: str) -> None:
    """Without this the names of libraries and files would be had for the asking."""
    method, path, key, more, status = REFUSED[name]
    reply = site.ask(method, path, key, **more)
    assert_problem(reply, status)
    # What a client has sent itself may come back to it.
    said = reply.text.replace("etc/passwd", "").replace("auth.py", "")
    assert _tells(f"{reply.headers}{said}") == []


HEADS = {
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "two lengths": b"POST /chat/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "a length and pieces": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
    "a broken header": b"GET / HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n",
    "a long line": b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"x" * 20_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: x\r\n" * 300 + b"\r\n",
}


@pytest.fixture
def wire(server: Stack) -> Iterator[Wire]:
    """A bare connection."""
    with Wire(server.url) as opened:
        yield opened


@pytest.mark.parametrize("name", HEADS)
def test_the_server_in_front_of_the_app_tells_nothing_either(wire: Wire, name: str) -> None:
    """Without this a broken request would be answered with the server's name, its version, or its own words."""
    said = b""
    with contextlib.suppress(OSError):
        wire.socket.sendall(HEADS[name])
        while data := wire.socket.recv(65_536):
            said += data
    assert _tells(said.decode("latin-1")) == []
    assert not said or re.match(rb"HTTP/1\.[01] (4\d\d|501|505) ", said), said[:200]

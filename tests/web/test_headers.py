"""The headers of every answer, and what pages of other origins may do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.errors import SettingError
from pipeline.settings import load
from tests.parts.stack import KEY, Stack
from tests.web.site import APP_KEY, SECRET, Site
from tests.web.test_policy import ROUTES, Route
from tests.web.wire import Wire
from web import create_app
from web.auth import COOKIE, public

ALLOWED = "https://chat.example.org"
ALWAYS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""The whole of what protects a browser; a change of one word is to be seen here."""


@pytest.fixture
def broken(make_site: Callable[..., Site]) -> Site:
    """A site with a route that fails."""
    site = make_site()

    @public
    def fail() -> str:
        raise RuntimeError

    site.app.add_url_rule("/broken", view_func=fail)
    return site


def _protects(headers: object) -> None:
    assert {name: headers.get(name) for name in ALWAYS} == ALWAYS  # type: ignore[attr-defined]
    assert headers.get("X-Request-ID")  # type: ignore[attr-defined]
    for name in ("Server", "X-Powered-By", "Strict-Transport-Security", "Access-Control-Allow-Origin"):
        assert name not in headers  # type: ignore[operator]


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_route_answers_with_the_same_protection(site: Site, route: Route, key: str | None) -> None:
    """One answer that was forgotten could be framed, or be taken for a script."""
    path = route.path.replace("<session_id>", "s").replace("<message_id>", "m").replace("<collection>", "c")
    _protects(site.ask(route.method, path.replace("<key_id>", "k"), key).headers)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("PUT", "/health", 405),
        ("TRACE", "/chat/s", 405),
        ("POST", "/chat/", 413),
        ("GET", "/broken", 500),
        ("OPTIONS", "/chat/", 200),
        ("GET", "/chat/ws/events/s", 400),
    ],
)
def test_errors_have_the_same_protection(broken: Site, method: str, path: str, status: int) -> None:
    """An error would be the one answer that can be framed."""
    body = b"x" * 300_000 if status == 413 else None
    reply = broken.ask(method, path, data=body, content_type="application/json")
    assert reply.status_code == status
    _protects(reply.headers)


def test_a_real_server_does_not_say_what_it_is(server: Stack) -> None:
    """Whoever looks for servers with a known hole would find this one by its header."""
    for path in ("/health", "/nope", "/chat/s", "/readyz"):
        with Wire(server.url) as wire:
            headers = wire.request("GET", path, {}).headers
        assert "server" not in headers
        assert {name: headers.get(name.lower()) for name in ALWAYS} == ALWAYS


def test_only_behind_tls_a_browser_is_told_to_stay_there(site: Site) -> None:
    """A browser would refuse a development machine's plain address for a year, or not insist on TLS where it is."""
    reply = site.get("/health", base_url="https://localhost")
    assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in site.get("/health").headers


@pytest.fixture
def open_site(make_site: Callable[..., Site]) -> Site:
    """A site that lets one other origin in."""
    return make_site(SPANFEED_ALLOWED_ORIGINS=ALLOWED)


def _preflight(site: Site, origin: str, path: str = "/chat/") -> dict[str, str]:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "content-type,x-api-key"
    reply = site.ask("OPTIONS", path, None, headers=asked)
    assert reply.status_code < 300 or reply.status_code == 404
    return {name: value for name, value in reply.headers if name.startswith("Access-Control")}


def test_an_allowed_origins_page_may_send_and_read(open_site: Site) -> None:
    """A frontend with an address of its own could not speak HTTP with Spanfeed."""
    found = _preflight(open_site, ALLOWED)
    assert found["Access-Control-Allow-Origin"] == ALLOWED
    assert found["Access-Control-Allow-Credentials"] == "true"
    assert {"GET", "POST", "PATCH", "DELETE"} == set(found["Access-Control-Allow-Methods"].split(", "))
    named = found["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"x-api-key", "authorization", "content-type", "prefer", "idempotency-key", "last-event-id"} == set(named)
    for key, status in ((APP_KEY, 200), (None, 401)):
        reply = open_site.get("/chat/events/s", key, headers={"Origin": ALLOWED})
        assert reply.status_code == status
        assert reply.headers["Access-Control-Allow-Origin"] == ALLOWED
        assert "Retry-After" in reply.headers["Access-Control-Expose-Headers"]
        assert "Origin" in reply.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://chat.example.org",
        "https://chat.example.org:444",
        "https://chat.example.org.evil.example",
        "https://evilchat.example.org",
        "https://chat.example.org/",
        "*",
        "",
    ],
)
def test_another_origins_page_may_not(open_site: Site, origin: str) -> None:
    """Any page could read a visitor's conversation."""
    assert _preflight(open_site, origin) == {}
    _, cookie = open_site.state.doors.make_cookie()
    for headers in ({}, {"Cookie": f"{COOKIE}={cookie}"}):
        reply = open_site.get("/chat/events/s", None, headers={"Origin": origin, **headers})
        assert not [name for name, _ in reply.headers if name.startswith("Access-Control")]
        assert "Origin" in reply.headers["Vary"], "a cache would give one origin's answer to another"


def test_without_allowed_origins_nobody_is_told_anything(site: Site) -> None:
    """The default would be open."""
    assert _preflight(site, ALLOWED) == {}


@pytest.mark.parametrize("word", ["*", "null", "chat.example.org", "https://*.example.org", "https://a.example/x"])
def test_what_is_no_origin_is_refused_at_the_start(word: str) -> None:
    """A star would let every page in, and a name without https:// none, without a word."""
    environment = {"REDIS_URL": "redis://127.0.0.1:1/0", "SPANFEED_SECRET_KEY": SECRET}
    with pytest.raises(SettingError, match="SPANFEED_ALLOWED_ORIGINS"):
        create_app(load({**environment, "SPANFEED_ALLOWED_ORIGINS": word}))

"""Errors as clients read them: problem+json with the seeds' `detail`, and the headers of every answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import g

from pipeline.settings import load
from tests.parts.stack import KEY
from tests.web.site import APP_KEY, Site, assert_problem
from web.auth import Principal, Scope, needs, public
from web.errors import TITLES, Problem

NO_KEY = "API key required. Please provide X-API-Key header."


@pytest.mark.parametrize("path", ["/chat/events/s", "/chat/events/s/latest", "/chat/s", "/chat/s/messages/m"])
def test_who_sends_no_key_is_told_which_header_is_missing(site: Site, path: str) -> None:
    """An old client shows this very sentence to its user."""
    reply = site.get(path, key=None)
    assert assert_problem(reply, 401) == NO_KEY
    assert reply.headers["WWW-Authenticate"] == "ApiKey"


def test_who_sends_a_wrong_key_is_told_so(site: Site) -> None:
    """An old client shows this very sentence to its user."""
    reply = site.get("/chat/events/s", key="sf_wrong")
    assert assert_problem(reply, 401) == "Invalid API key"
    assert reply.headers["WWW-Authenticate"] == "ApiKey"


def test_who_may_not_delete_is_told_which_permission_is_missing(site: Site) -> None:
    """An old client shows this very sentence to its user."""
    assert assert_problem(site.ask("DELETE", "/chat/s", APP_KEY), 403) == "Delete permission required"


def test_every_status_that_is_answered_has_a_title() -> None:
    """Without this a reader of a problem would be told nothing but "Error"."""
    sources = "".join(path.read_text() for path in Path("web").rglob("*.py"))
    statuses = {int(status) for status in re.findall(r"Problem\((\d{3})", sources)}
    assert {409, 426, 501} <= statuses <= TITLES.keys()


@pytest.mark.parametrize("scope", list(Scope))
def test_every_scope_has_the_sentence_of_the_seed(site: Site, scope: Scope) -> None:
    """A client that looks for "Read permission required" would not find it."""
    with site.app.test_request_context("/"):
        g.principal = Principal("nobody", frozenset())
        with pytest.raises(Problem) as raised:
            needs(scope)(lambda: None)()
    assert raised.value.status == 403
    assert raised.value.detail == f"{scope.name.capitalize()} permission required"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_session_is_not_found(site: Site, session_id: str, method: str) -> None:
    """An old client shows this very sentence to its user."""
    assert assert_problem(site.ask(method, f"/chat/{session_id}"), 404) == "Chat session not found"


def test_a_body_that_is_refused_says_where_and_why(site: Site) -> None:
    """A client could not mark the field that its user got wrong."""
    detail = assert_problem(site.post("/chat/", json={"message": 7}), 422)
    assert [set(item) for item in detail] == [{"type", "loc", "msg", "input"}]
    assert detail[0]["loc"] == ["body", "message"]
    assert detail[0]["input"] == 7


def test_a_query_that_is_refused_says_where_and_why(site: Site) -> None:
    """A client could not tell which parameter was wrong."""
    detail = assert_problem(site.get("/chat/events/s", query_string={"limit": "0"}), 422)
    assert [set(item) for item in detail] == [{"type", "loc", "msg", "input"}]
    assert detail[0]["loc"] == ["query", "limit"]


@pytest.mark.parametrize(
    "path",
    ["/nope", "/chat/events/s/nope", "/%2e%2e/", "/%00", "/static/%00", "/static/..%2fauth.py", "/chat/s/x/y/z", "/é"],
)
def test_an_unknown_path_is_a_problem_too(site: Site, path: str) -> None:
    """A client that reads JSON would get a page of HTML."""
    assert_problem(site.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/chat/events/s", "/chat/events/s/latest", "/health", "/"])
def test_a_wrong_method_names_the_right_ones(site: Site, method: str, path: str) -> None:
    """A developer would have to guess what is allowed."""
    reply = site.ask(method, path)
    assert_problem(reply, 405, "method_not_allowed")
    assert "GET" in reply.headers["Allow"].split(", ")


@pytest.mark.parametrize("path", ["/chat/events/{}", "/chat/events/{}/latest", "/chat/{}"])
def test_a_slash_at_the_end_changes_nothing(site: Site, session_id: str, path: str) -> None:
    """A client of the seeds that adds a slash, or leaves it out, would get an error."""
    site.say(session_id)
    address = path.format(session_id)
    assert site.get(address).json == site.get(f"{address}/").json
    assert site.get(f"{address}/").status_code == 200


@pytest.mark.parametrize("path", ["/chat", "/chat/", "/chat/docs", "/chat/docs/"])
def test_both_spellings_of_the_chat_route_take_messages(site: Site, path: str) -> None:
    """A client of the seeds that posts to /chat instead of /chat/ would lose its message in a redirect."""
    assert assert_problem(site.post(path, json={"message": ""}), 422)[0]["loc"] == ["body", "message"]


_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/health", None, 200),
        ("GET", "/chat/events/s", KEY, 200),
        ("GET", "/static/app/none.js", None, 404),
        ("POST", "/chat/", KEY, 415),
        ("GET", "/chat/s", None, 401),
        ("DELETE", "/chat/s", APP_KEY, 403),
        ("GET", "/nope", None, 404),
        ("PUT", "/health", None, 405),
        ("GET", "/chat/events/s?limit=x", KEY, 422),
        ("GET", "/chat/ws/events/s", KEY, 400),
    ],
)
def test_every_answer_has_the_protecting_headers(
    site: Site, method: str, path: str, key: str | None, status: int
) -> None:
    """A page of another site could frame the answer, or a browser take it for what it is not."""
    reply = site.ask(method, path, key)
    assert reply.status_code == status
    for name, value in _HEADERS.items():
        assert reply.headers[name] == value
    policy = reply.headers["Content-Security-Policy"]
    for part in ("default-src 'self'", "script-src 'self'", "frame-ancestors 'none'", "object-src 'none'"):
        assert part in policy
    assert "Retry-After" not in reply.headers
    if reply.mimetype in {"application/json", "application/problem+json"}:
        # Only a poller may keep its page, to ask whether it still holds.
        assert reply.headers["Cache-Control"] == ("no-cache, private" if "ETag" in reply.headers else "no-store")


def test_a_fault_inside_tells_a_stranger_nothing(
    make_site: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger would read paths and queries, or the operator could not find the fault in the log."""
    site = make_site()

    @public
    def broken() -> str:
        raise RuntimeError("SELECT secret FROM /srv/spanfeed")

    site.app.add_url_rule("/broken", view_func=broken)
    reply = site.get("/broken")
    assert_problem(reply, 500, "internal")
    assert "secret" not in reply.text
    assert "RuntimeError" not in reply.text
    body = reply.json or {}
    assert body["instance"] == f"/requests/{reply.headers['X-Request-ID']}"
    assert reply.headers["X-Request-ID"] in caplog.text


def test_the_app_does_not_start_without_a_secret() -> None:
    """Anybody could sign session tokens with an empty secret."""
    from pipeline.errors import SettingError
    from web import create_app

    with pytest.raises(SettingError, match="SPANFEED_SECRET_KEY"):
        create_app(load({"REDIS_URL": "redis://127.0.0.1:1/0", "SPANFEED_SECRET_KEY": "short"}))

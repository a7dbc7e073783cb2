"""Every route has a policy: swept from the app's own map, so that a new route cannot be forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from werkzeug.routing import Rule

from pipeline.settings import load
from tests.parts.stack import KEY
from tests.web.site import ADMIN_KEY, APP_KEY, SECRET, Site, assert_problem
from web import create_app
from web.auth import COOKIE, Scope

PUBLIC = {"static", "page.page", "health.health", "health.ready"}
"""Open to everybody, on purpose."""
OWN_POLICY = {"page.new_session", "feed.session_feed"}
"""Judged by tests of their own: whoever may have no key yet, and whoever is refused before the handshake."""


def _rules() -> list[Rule]:
    app = create_app(load({"REDIS_URL": "redis://127.0.0.1:1/0", "SPANFEED_SECRET_KEY": SECRET}))
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint not in PUBLIC | OWN_POLICY]


def _guarded() -> Iterator[tuple[str, str]]:
    for rule in _rules():
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            yield method, rule.rule


GUARDED = sorted(_guarded())
OF_A_SESSION = [(method, path) for method, path in GUARDED if "<session_id>" in path]


def test_no_route_is_without_a_policy(site: Site) -> None:
    """A new route would be open to everybody by accident."""
    forgotten = {
        rule.endpoint
        for rule in site.app.url_map.iter_rules()
        if rule.endpoint not in PUBLIC | OWN_POLICY
        and not isinstance(getattr(site.app.view_functions[rule.endpoint], "spanfeed_scope", None), Scope)
    }
    assert forgotten == set()


def test_the_lists_of_exceptions_name_only_routes_that_exist(site: Site) -> None:
    """An exception left behind would open a later route of the same name."""
    assert {rule.endpoint for rule in site.app.url_map.iter_rules()} >= PUBLIC | OWN_POLICY


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_a_stranger_is_stopped_at_every_other_route(site: Site, method: str, path: str) -> None:
    """Whoever finds the address could read or write without a key."""
    reply = site.ask(method, _filled(path, "s", "m"), key=None, json={"message": "hello"})
    assert_problem(reply, 401, "unauthenticated")


def _filled(path: str, session_id: str, message_id: str) -> str:
    return path.replace("<session_id>", session_id).replace("<message_id>", message_id).replace("<collection>", "docs")


def _own(site: Site, session_id: str) -> tuple[dict[str, str], str]:
    """A visitor's headers, with a session and a message that belong to them."""
    visitor, cookie = site.state.doors.make_cookie()
    return {"Cookie": f"{COOKIE}={cookie}", "Origin": "http://localhost"}, site.say(session_id, owner=visitor)


@pytest.mark.parametrize(("method", "path"), OF_A_SESSION)
def test_another_visitor_finds_no_such_session(site: Site, session_id: str, method: str, path: str) -> None:
    """One visitor could read, or delete, what another has written."""
    _, message_id = _own(site, session_id)
    other, _ = _own(site, f"{session_id}-b")
    refused = site.ask(method, _filled(path, session_id, message_id), key=None, headers=other)
    unknown = site.ask(method, _filled(path, "no-such-session", message_id), key=None, headers=other)
    assert_problem(refused, 404)
    assert_problem(unknown, 404)
    assert {**(refused.json or {}), "instance": ""} == {**(unknown.json or {}), "instance": ""}
    assert len(site.get(f"/chat/{session_id}").json["messages"]) == 1  # type: ignore[index]


@pytest.mark.parametrize(("method", "path"), OF_A_SESSION)
def test_a_token_of_another_session_opens_nothing(site: Site, session_id: str, method: str, path: str) -> None:
    """Whoever was let into one session would be let into all."""
    _, message_id = _own(site, session_id)
    token = site.state.doors.make_token("another-session", "key:main")
    reply = site.ask(method, _filled(path, session_id, message_id), key=token)
    if method == "DELETE":
        assert_problem(reply, 403, "insufficient_scope")
    else:
        assert_problem(reply, 404, "not_found")
    assert len(site.get(f"/chat/{session_id}").json["messages"]) == 1  # type: ignore[index]


@pytest.mark.parametrize("key", [KEY, ADMIN_KEY, APP_KEY, None, "token"])
@pytest.mark.parametrize(("method", "path"), OF_A_SESSION)
def test_whoever_may_is_let_in(site: Site, session_id: str, method: str, path: str, key: str | None) -> None:
    """A key, the session's own token or its owner would be shut out."""
    own, message_id = _own(site, session_id)
    headers = own if key is None else {}
    given = site.state.doors.make_token(session_id, "key:main") if key == "token" else key
    reply = site.ask(method, _filled(path, session_id, message_id), key=given, headers=headers)
    if method == "DELETE" and key in {APP_KEY, "token"}:
        assert assert_problem(reply, 403) == "Delete permission required"
    elif path.endswith("/stream"):
        # Let in; but what calls the app here has no socket to stream into.
        assert_problem(reply, 501, "no_socket")
    else:
        # 409: let in, and told that there is nothing to try again.
        assert reply.status_code in {200, 201, 409}, reply.text

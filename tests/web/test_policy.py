"""Every route × whoever asks: swept from the app's own map, so that a new route cannot be forgotten."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator

import pytest
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from pipeline.settings import Settings, load
from pipeline.store import Store
from tests.parts.stack import KEY, Stack
from tests.web.site import ADMIN_KEY, APP_KEY, SECRET, Site, assert_problem
from tests.web.wire import Wire
from web import create_app
from web.auth import COOKIE, Scope, policy_of
from web.keyring import Locksmith
from web.policy import ALL
from web.tokens import UserTokens

PUBLIC = {
    "page.page",
    "page.dashboard",
    "health.health",
    "health.ready",
    "contract.openapi",
    "contract.asyncapi",
    "contract.docs",
}
"""Open to everybody, on purpose."""
OWN_POLICY = {"page.new_session", "feed.session_feed", "login.login", "login.logout", "login.me"}
"""Judged by themselves: whoever may have no key yet, is refused before the handshake, or is anybody who is known."""
BY_BODY = {"chat.chat", "chat.chat_with_collection"}
"""Routes that are told the session in the body."""

app = create_app(load({"REDIS_URL": "redis://127.0.0.1:1/0", "SPANFEED_SECRET_KEY": SECRET}))


@dataclasses.dataclass(frozen=True)
class Route:
    """One method of one address, and the policy that its view was given."""

    method: str
    path: str
    endpoint: str
    policy: str

    @property
    def of_a_session(self) -> bool:
        """Whether it is asked for a session."""
        return "<session_id>" in self.path or self.endpoint in BY_BODY

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _rules() -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]


def _routes() -> Iterator[Route]:
    for rule in _rules():
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            yield Route(method, rule.rule, rule.endpoint, policy_of(app.view_functions[rule.endpoint]) or "")


ROUTES = sorted(_routes(), key=str)
GUARDED = [route for route in ROUTES if route.endpoint not in PUBLIC | OWN_POLICY]
OF_A_SESSION = [route for route in GUARDED if "<session_id>" in route.path]

# What each asker's credential is good for; the rest of the expectation follows from the route's own policy.
SCOPES: dict[str, set[str]] = {
    "nobody": set(),
    "owner": {Scope.READ, Scope.WRITE, Scope.DELETE, Scope.EVENTS},
    "other user": {Scope.READ, Scope.WRITE, Scope.DELETE, Scope.EVENTS},
    "read key": {Scope.READ},
    "write key": {Scope.WRITE},
    "events key": {Scope.EVENTS},
    "administrator": set(Scope),
    "the user's key": {Scope.READ, Scope.WRITE},
    "another user's key": {Scope.READ, Scope.WRITE},
    "the user's token": {Scope.READ, Scope.EVENTS},
    "another user's token": {Scope.READ, Scope.EVENTS},
}
OF_KEYS = {"read key": "events:read", "write key": "chat:write", "events key": "events:write"}
LET_IN, STRANGER, FORBIDDEN, NOT_FOUND = "let in", "401", "403", "404"


def expected(route: Route, asker: str) -> str:
    """What the policy says."""
    if route.endpoint in PUBLIC:
        return LET_IN
    if route.endpoint == "login.login":
        return LET_IN
    if route.endpoint in {"login.me", "login.logout"}:
        return STRANGER if asker == "nobody" else LET_IN
    if route.endpoint == "page.new_session":
        return LET_IN if asker == "nobody" or Scope.WRITE in SCOPES[asker] else FORBIDDEN
    needed = Scope.READ if route.endpoint == "feed.session_feed" else route.policy
    if asker == "nobody":
        return STRANGER
    if needed not in SCOPES[asker]:
        return FORBIDDEN
    if route.of_a_session and asker in {"other user", "another user's key", "another user's token"}:
        return NOT_FOUND
    return LET_IN


@pytest.fixture(scope="module")
def keys(site: Site) -> dict[str, str]:
    """A stored key of each kind."""
    return _keys(site.settings, site.store)


def _keys(settings: Settings, store: Store) -> dict[str, str]:
    locksmith, tokens = Locksmith(settings, store), UserTokens(settings)
    made = {asker: locksmith.create(asker, [scope], "test")[0] for asker, scope in OF_KEYS.items()}
    both = ["events:read", "chat:write"]
    made["the user's key"] = locksmith.create("u", both, "test", "anna")[0]
    made["another user's key"] = locksmith.create("u", both, "test", "bert")[0]
    made["the user's token"], made["another user's token"] = (tokens.make(user, ALL) for user in ("anna", "bert"))
    return made | {"administrator": ADMIN_KEY}


def _headers(site: Site, keys: dict[str, str], asker: str, visitor: str, cookie: str) -> dict[str, str]:
    if asker in keys:
        return {"X-API-Key": keys[asker]}
    if asker == "nobody":
        return {}
    given = cookie if asker == "owner" else site.state.doors.make_cookie()[1]
    return {"Cookie": f"{COOKIE}={given}", "Origin": "http://localhost"}


def test_no_route_is_without_a_policy() -> None:
    """A new route would be open to everybody by accident."""
    for rule in _rules():
        policy = policy_of(app.view_functions[rule.endpoint])
        told = "public" if rule.endpoint in PUBLIC else "own" if rule.endpoint in OWN_POLICY else set(Scope)
        assert policy is not None, rule.endpoint
        assert policy in told, rule.endpoint


def test_a_route_that_was_forgotten_lets_nobody_in(make_site: Callable[..., Site]) -> None:
    """A route that escaped the tests would be open."""
    site = make_site()
    site.app.add_url_rule("/forgotten", view_func=lambda: "secret")
    for key in (None, KEY, ADMIN_KEY):
        assert_problem(site.get("/forgotten", key), 403, "no_policy")


def test_the_lists_of_exceptions_name_only_routes_that_exist() -> None:
    """An exception left behind would open a later route of the same name."""
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= PUBLIC | OWN_POLICY | BY_BODY


def _filled(path: str, session_id: str, message_id: str) -> str:
    filled = path.replace("<session_id>", session_id).replace("<message_id>", message_id)
    return re.sub(r"<\w+>", "docs", filled)


def _judged(reply: TestResponse) -> str:
    if reply.status_code in {401, 403}:
        assert_problem(reply, reply.status_code)
        return str(reply.status_code)
    if reply.status_code == 404 and "Chat session not found" in reply.text:
        return NOT_FOUND
    # 501: let in, but what calls the app here has no socket to stream into.
    assert reply.status_code < 500 or reply.status_code == 501, reply.text
    return LET_IN


@pytest.mark.parametrize("asker", SCOPES)
@pytest.mark.parametrize("route", [r for r in ROUTES if r.endpoint != "feed.session_feed"], ids=str)
def test_each_route_lets_in_whom_its_policy_names(
    site: Site, keys: dict[str, str], session_id: str, route: Route, asker: str
) -> None:
    """Somebody could read, write or delete what is not theirs, or would be shut out of what is."""
    visitor, cookie = site.state.doors.make_cookie()
    message_id = site.say(session_id, owner="anna" if "user's" in asker else visitor)
    # Whoever is let in is then told that this is no key, so that nothing is sent.
    headers = _headers(site, keys, asker, visitor, cookie) | {"Idempotency-Key": "x" * 256}
    path = _filled(route.path, session_id, message_id)
    more = {} if route.method == "GET" else {"json": {"message": "hello", "session_id": session_id}}
    reply = site.ask(route.method, path, None, headers=headers, **more)
    wanted = expected(route, asker)
    assert _judged(reply) == wanted, reply.text
    if wanted == NOT_FOUND:
        unknown = site.ask(
            route.method,
            _filled(route.path, "no-such-session", message_id),
            None,
            headers=headers,
            **({} if route.method == "GET" else {"json": {"message": "hello", "session_id": "no-such-session"}}),
        )
        assert {**(reply.json or {}), "instance": ""} == {**(unknown.json or {}), "instance": ""}
    if wanted != LET_IN:
        messages = site.get(f"/chat/{session_id}").json["messages"]  # type: ignore[index]
        assert len(messages) == 1, "the refused request has changed something"


@pytest.fixture(scope="module")
def server_keys(servers: Callable[[str, str], Stack]) -> dict[str, str]:
    """Stored keys of a real web server."""
    stack = servers("server", "threads")
    return _keys(stack.settings(), stack.store)


@pytest.mark.parametrize("asker", [asker for asker in SCOPES if asker not in {"owner", "other user"}])
def test_the_socket_lets_in_whom_its_policy_names(
    server: Stack, server_keys: dict[str, str], session_id: str, asker: str
) -> None:
    """The feed would be a way around what every other route forbids."""
    from pipeline.store import conversations

    conversations.open_session(server.store, session_id, "anna", "anna", "en")
    [route] = [route for route in ROUTES if route.endpoint == "feed.session_feed"]
    with Wire(server.url) as wire:
        status = wire.upgrade(f"/chat/ws/events/{session_id}", server_keys.get(asker)).status
    wanted = expected(route, asker)
    assert status == (101 if wanted == LET_IN else int(wanted))


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_a_stranger_is_stopped_before_anything_is_looked_at(site: Site, route: Route) -> None:
    """Whoever finds the address could learn from the errors what there is."""
    reply = site.ask(route.method, _filled(route.path, "s", "m"), key=None, data=b"{", content_type="application/json")
    assert_problem(reply, 401, "unauthenticated")


@pytest.mark.parametrize("route", OF_A_SESSION, ids=str)
def test_a_token_of_another_session_opens_nothing(site: Site, session_id: str, route: Route) -> None:
    """Whoever was let into one session would be let into all."""
    message_id = site.say(session_id)
    token = site.state.doors.make_token("another-session", "key:main")
    reply = site.ask(route.method, _filled(route.path, session_id, message_id), key=token)
    if route.policy in {Scope.DELETE, Scope.ADMIN}:
        assert_problem(reply, 403, "insufficient_scope")
    else:
        assert_problem(reply, 404, "not_found")
    assert len(site.get(f"/chat/{session_id}").json["messages"]) == 1  # type: ignore[index]


@pytest.mark.parametrize("key", [KEY, APP_KEY, "token"])
@pytest.mark.parametrize("route", OF_A_SESSION, ids=str)
def test_whoever_may_is_let_in(site: Site, session_id: str, route: Route, key: str) -> None:
    """A key of the settings or the session's own token would be shut out."""
    message_id = site.say(session_id)
    given = site.state.doors.make_token(session_id, "key:main") if key == "token" else key
    reply = site.ask(route.method, _filled(route.path, session_id, message_id), key=given)
    if route.policy in {Scope.DELETE, Scope.ADMIN} and key in {APP_KEY, "token"}:
        assert assert_problem(reply, 403) == f"{route.policy} permission required"
    else:
        assert _judged(reply) == LET_IN

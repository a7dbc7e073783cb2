"""Rate limits: whom they count, what they say, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from tests.parts.stack import KEY
from tests.web.site import APP_KEY, Site, assert_problem
from web.auth import COOKIE

REFUSED = {"message": ""}
"""A message that is counted, and refused before anything is sent."""


def _told_when(site: Site, path: str, key: str | None, **more: object) -> None:
    reply = site.post(path, key, json=REFUSED, **more)
    assert_problem(reply, 429, "too_many_requests")
    assert 0 < int(reply.headers["Retry-After"]) <= 60


def test_too_many_messages_are_told_when_to_come_back(make_site: Callable[..., Site]) -> None:
    """One client could use up the server for all others."""
    site = make_site(SPANFEED_MESSAGES_PER_MINUTE="3")
    for _ in range(3):
        assert_problem(site.post("/chat/", json=REFUSED), 422)
    _told_when(site, "/chat/", KEY)


def test_both_chat_routes_are_one_limit(make_site: Callable[..., Site]) -> None:
    """A client could double its share by naming a collection."""
    site = make_site(SPANFEED_MESSAGES_PER_MINUTE="3")
    for path in ("/chat/", "/chat/docs", "/chat/"):
        assert_problem(site.post(path, json=REFUSED), 422)
    _told_when(site, "/chat/docs", KEY)
    _told_when(site, "/chat/", KEY)


def test_one_keys_haste_is_not_anothers_wait(make_site: Callable[..., Site]) -> None:
    """A busy application would shut out all others."""
    site = make_site(SPANFEED_MESSAGES_PER_MINUTE="2")
    for _ in range(2):
        site.post("/chat/", APP_KEY, json=REFUSED)
    _told_when(site, "/chat/", APP_KEY)
    assert_problem(site.post("/chat/", KEY, json=REFUSED), 422)


def test_sessions_with_tokens_are_counted_apart(make_site: Callable[..., Site]) -> None:
    """One browser's haste would shut out all users of the same application."""
    site = make_site(SPANFEED_MESSAGES_PER_MINUTE="2")
    first, second = (site.state.doors.make_token(name, "key:app") for name in ("first", "second"))
    for _ in range(2):
        site.post("/chat/", first, json=REFUSED)
    _told_when(site, "/chat/", first)
    assert_problem(site.post("/chat/", second, json=REFUSED), 422)
    assert_problem(site.post("/chat/", APP_KEY, json=REFUSED), 422)


def test_visitors_of_one_address_share_a_limit(make_site: Callable[..., Site]) -> None:
    """Whoever throws away the cookie would start counting anew."""
    site = make_site(SPANFEED_MESSAGES_PER_MINUTE="2")
    for _ in range(2):
        assert_problem(_as_new_visitor(site, "192.0.2.1"), 422)
    assert_problem(_as_new_visitor(site, "192.0.2.1"), 429)
    assert_problem(_as_new_visitor(site, "192.0.2.2"), 422)


def _as_new_visitor(site: Site, address: str) -> TestResponse:
    _, cookie = site.state.doors.make_cookie()
    headers = {"Cookie": f"{COOKIE}={cookie}", "Origin": "http://localhost"}
    return site.post("/chat/", None, json=REFUSED, headers=headers, environ_base={"REMOTE_ADDR": address})


@pytest.mark.parametrize("path", ["/chat/events/s", "/chat/events/s/latest", "/chat/s", "/chat/s/messages/m"])
def test_reading_has_a_limit_of_its_own(make_site: Callable[..., Site], path: str) -> None:
    """A client that polls in a tight loop could use up the server, or lose its right to send."""
    site = make_site(SPANFEED_REQUESTS_PER_MINUTE="3", SPANFEED_MESSAGES_PER_MINUTE="1")
    for _ in range(3):
        assert site.get(path).status_code in {200, 404}
    assert_problem(site.get(path), 429)
    assert_problem(site.post("/chat/", json=REFUSED), 422)


def test_new_sessions_of_visitors_are_limited(make_site: Callable[..., Site]) -> None:
    """A script could fill the database with empty sessions."""
    site = make_site(SPANFEED_REQUESTS_PER_MINUTE="2")
    for _ in range(2):
        assert site.browser().post("/page/session").status_code == 201
    assert_problem(site.browser().post("/page/session"), 429)


def test_health_is_never_limited(make_site: Callable[..., Site]) -> None:
    """A platform that asks often would take a healthy server for dead."""
    site = make_site(SPANFEED_REQUESTS_PER_MINUTE="1", SPANFEED_MESSAGES_PER_MINUTE="1")
    for path in ("/health", "/readyz") * 5:
        assert site.get(path, None).status_code == 200

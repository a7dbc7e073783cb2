"""Rate limits: whom they count, what they say, and what they leave alone."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis
from werkzeug.test import TestResponse

from tests.parts.stack import KEY, Stack
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem
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


def test_every_counted_answer_says_what_is_left(make_site: Callable[..., Site]) -> None:
    """A client could only find out where the limit is by running into it."""
    site = make_site(SPANFEED_REQUESTS_PER_MINUTE="3", SPANFEED_MESSAGES_PER_MINUTE="7")
    for left, status in ((2, 200), (1, 200), (0, 200), (0, 429)):
        reply = site.get("/chat/events/s")
        assert reply.status_code == status
        assert reply.headers["RateLimit-Policy"] == '"requests";q=3;w=60'
        found = re.fullmatch(r'"requests";r=(\d+);t=(\d+)', reply.headers["RateLimit"])
        assert found is not None
        assert int(found[1]) == left
        assert 0 <= int(found[2]) <= 60
    said = site.post("/chat/", json=REFUSED)
    assert said.headers["RateLimit-Policy"] == '"messages";q=7;w=60'
    assert said.headers["RateLimit"].startswith('"messages";r=6;')
    assert "RateLimit" not in site.get("/health").headers


def test_a_share_comes_back_little_by_little(make_site: Callable[..., Site]) -> None:
    """A client could use two shares up within a moment, at the end of one minute and the beginning of the next."""
    site = make_site(SPANFEED_MESSAGES_PER_MINUTE="6")
    for _ in range(6):
        assert_problem(site.post("/chat/", json=REFUSED), 422)
    with redis.Redis.from_url(site.settings.redis_url) as client:
        # As if the minute in which they were sent had just ended.
        for key in client.scan_iter("LIMITS*"):
            left_ms = int(client.pttl(key)) - 60_000  # type: ignore[arg-type]
            client.pexpire(key, 50_000) if left_ms > 0 else client.delete(key)
    statuses = [site.post("/chat/", json=REFUSED).status_code for _ in range(4)]
    assert statuses[0] == 422
    assert statuses[-1] == 429


def test_custom_events_are_counted_one_by_one(make_site: Callable[..., Site]) -> None:
    """A client could fill the log with the largest bodies, each of which is one request."""
    site = make_site(SPANFEED_CUSTOM_EVENTS_PER_MINUTE="10")
    event = {"event_type": "custom.counted", "data": {}}
    assert site.post("/api/v1/events", APP_KEY, json=[event] * 8).status_code == 200
    reply = site.post("/api/v1/events", APP_KEY, json=[event] * 3)
    assert_problem(reply, 429, "too_many_events_a_minute")
    assert int(reply.headers["Retry-After"]) > 0
    for _ in range(2):
        assert site.post("/api/v1/events", APP_KEY, json=event).status_code == 201
    assert_problem(site.post("/api/v1/events", APP_KEY, json=event), 429)
    # Others are not kept waiting, and nothing of what was refused was sent.
    assert site.post("/api/v1/events", KEY, json=event).status_code == 201
    assert len(site.bus.log.read_log(0, 2**53, 100)) == 11


def test_without_redis_custom_events_are_counted_all_the_same(make_site: Callable[..., Site]) -> None:
    """In an outage one client could fill the file in which events wait."""
    site = make_site(REDIS_URL="redis://127.0.0.1:1/0", SPANFEED_CUSTOM_EVENTS_PER_MINUTE="3")
    event = {"event_type": "custom.counted", "data": {}}
    key = site.state.doors.make_token("s", f"key:{uuid.uuid4()}")
    body = {**event, "session_id": "s"}
    statuses = [site.post("/api/v1/events", key, json=body).status_code for _ in range(6)]
    assert 429 in statuses
    assert statuses.count(429) >= 2


def test_a_session_has_five_messages_in_flight(server: Stack, session_id: str) -> None:
    """One client could fill the queues with questions whose answers nobody reads any more."""
    headers = {"X-API-Key": KEY, "Prefer": "respond-async"}
    body = {"message": "hello", "session_id": session_id}

    def ask(key: str) -> httpx.Response:
        return httpx.post(f"{server.url}/chat/", json=body, headers={**headers, "Idempotency-Key": key}, timeout=60)

    first = ask(key := str(uuid.uuid4()))
    assert first.status_code == 202
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: ask(str(uuid.uuid4())), range(8)))
    assert sorted(reply.status_code for reply in replies) == [202] * 4 + [429] * 4
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.json()["type"] == "urn:spanfeed:problem:too_many_in_flight"
    assert 1 <= int(refused.headers["Retry-After"]) <= 5
    # One that was accepted before is told again, not refused.
    assert ask(key).json()["message_id"] == first.json()["message_id"]
    httpx.post(f"{server.url}/chat/{session_id}/messages/{first.json()['message_id']}/cancel", headers=headers)
    other = httpx.post(f"{server.url}/chat/", json={**body, "session_id": f"{session_id}-b"}, headers=headers)
    assert other.status_code == 202


def test_without_the_limiter_no_new_keys_are_made_but_old_ones_are_revoked(make_site: Callable[..., Site]) -> None:
    """Whoever can take Redis away could try without being counted; or a stolen key could not be revoked."""
    site = make_site()
    made = site.post("/api/v1/keys", ADMIN_KEY, json={"name": "n", "scopes": ["events:read"]}).json or {}
    dark = make_site(REDIS_URL="redis://127.0.0.1:1/0")
    body = {"name": "n", "scopes": ["events:read"]}
    assert_problem(dark.post("/api/v1/keys", ADMIN_KEY, json=body), 503, "unavailable")
    assert_problem(dark.post(f"/api/v1/keys/{made['id']}/rotate", ADMIN_KEY), 503, "unavailable")
    assert dark.ask("DELETE", f"/api/v1/keys/{made['id']}", ADMIN_KEY).status_code == 200


def test_without_redis_messages_are_counted_all_the_same(make_site: Callable[..., Site]) -> None:
    """In an outage one client could fill the database with messages that wait for their answers."""
    site = make_site(REDIS_URL="redis://127.0.0.1:1/0", SPANFEED_MESSAGES_PER_MINUTE="3")
    statuses = [site.post("/chat/", json=REFUSED).status_code for _ in range(10)]
    assert set(statuses) == {422, 429}
    # The request that finds Redis away first is not counted.
    assert statuses.count(422) <= 4

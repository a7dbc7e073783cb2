"""Feeds of a key that was revoked: they end within a moment, whoever serves them, and nobody else's do."""

from __future__ import annotations

import collections
import json
import time
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from pipeline.bus import Bus
from pipeline.store.keys import ApiKey
from tests.parts.feed_client import FeedClient
from tests.parts.stack import KEY, Stack
from tests.parts.stream_client import StreamClient
from tests.parts.waiting import wait_for
from tests.web.site import emit
from web.administrators import Administrators
from web.keyring import Locksmith

# Within a second, as is promised; a machine that is busy with other things may take its time.
_SOON_SECONDS = 10.0
ADMINISTRATORS = "/api/v1/events/admin/stream"
_CODE, _REASON = 4401, "the key opens nothing any more"


@pytest.fixture(params=["threads", "relay"])
def way(request: pytest.FixtureRequest) -> str:
    """Both ways in which feeds are served."""
    return str(request.param)


@pytest.fixture
def locksmith(server: Stack) -> Locksmith:
    """Makes and revokes keys beside the server."""
    return Locksmith(server.settings(), server.store)


@pytest.fixture
def made(server: Stack, locksmith: Locksmith) -> Iterator[tuple[str, ApiKey]]:
    """A key that the server knows."""
    key, row = locksmith.create("of a feed", ["events:read", "chat:write"], "test")
    _wait_known(server, key)
    yield key, row
    locksmith.revoke(row.key_id)


def _wait_known(server: Stack, key: str) -> None:
    with server.client() as http:
        known = lambda: http.get("/chat/events/s", headers={"X-API-Key": key}).status_code == 200  # noqa: E731
        wait_for(known, "the new key")


def _token(server: Stack, session_id: str, key: str = KEY) -> str:
    with server.client() as http:
        return str(http.post(f"/chat/{session_id}/token", headers={"X-API-Key": key}).json()["token"])


def _closed(client: FeedClient, seconds: float = _SOON_SECONDS) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        client.until(lambda _: False, seconds)
    last = closed.value.rcvd
    return (last.code, last.reason) if last else (0, "")


def test_the_feeds_of_a_revoked_key_end_and_no_others(
    server: Stack, server_bus: Bus, session_id: str, locksmith: Locksmith, made: tuple[str, ApiKey]
) -> None:
    """Without this whoever has stolen a key would listen on for as long as their connection holds."""
    key, row = made
    by_token = FeedClient(server.url, session_id, None, token=_token(server, session_id, key))
    with (
        FeedClient(server.url, session_id, key) as by_key,
        by_token,
        StreamClient(server.url, session_id, key) as stream,
        StreamClient(server.url, "/api/v1/events/stream", key) as of_a_user,
        server.feed(session_id) as other,
    ):
        stream.until(lambda message: message.name == "connection")
        of_a_user.until(lambda message: message.name == "connection.established")
        began = time.monotonic()
        locksmith.revoke(row.key_id)
        assert _closed(by_key) == (_CODE, _REASON)
        assert _closed(by_token) == (_CODE, _REASON)
        for one, name in ((stream, "expired"), (of_a_user, "connection.expired")):
            one.until(lambda message, name=name: message.name == name)
            with pytest.raises(EOFError):
                one.next()
        assert time.monotonic() - began < _SOON_SECONDS
        [event_id] = emit(server_bus, session_id)
        other.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == event_id)


def test_a_further_session_ends_with_the_key_that_opened_it(
    server: Stack, server_bus: Bus, session_id: str, locksmith: Locksmith, made: tuple[str, ApiKey]
) -> None:
    """Without this a revoked key would live on in a feed that another one has opened."""
    key, row = made
    further = f"{session_id}-2"
    with FeedClient(server.url, session_id, None, token=_token(server, session_id)) as client:
        said = {"type": "subscribe", "session_id": further, "token": _token(server, further, key)}
        client.socket.send(json.dumps(said))
        client.until(lambda frame: frame["type"] == "subscribed")
        locksmith.revoke(row.key_id)
        ended = client.until(lambda frame: frame["type"] == "unsubscribed", _SOON_SECONDS)
        assert (ended["session_id"], ended["reason"]) == (further, "revoked")
        emit(server_bus, further)
        [event_id] = emit(server_bus, session_id)
        client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == event_id)
        assert [event["session_id"] for event in client.events] == [session_id]


def test_a_feed_lives_by_the_newest_token_that_it_was_shown(
    server: Stack, server_bus: Bus, session_id: str, locksmith: Locksmith, made: tuple[str, ApiKey]
) -> None:
    """Without this a rotation would break off the feeds that have changed to the new key in good time."""
    key, row = made
    new_key, new_row = locksmith.rotate(row.key_id, "test") or ("", row)
    _wait_known(server, new_key)
    with FeedClient(server.url, session_id, None, token=_token(server, session_id, key)) as client:
        client.socket.send(json.dumps({"type": "token", "token": _token(server, session_id, new_key)}))
        client.until(lambda frame: frame["type"] == "token_accepted")
        with FeedClient(server.url, session_id, key) as old:
            locksmith.revoke(row.key_id)
            assert _closed(old) == (_CODE, _REASON)
        [event_id] = emit(server_bus, session_id)
        client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == event_id)
        locksmith.revoke(new_row.key_id)
        assert _closed(client) == (_CODE, _REASON)


def test_a_logout_ends_the_feeds_that_the_login_has_opened(server: Stack, session_id: str) -> None:
    """Without this whoever has taken an administrator's cookie would listen on after they have logged out."""
    Administrators(server.settings(), server.store).create("ada", "correct horse battery")
    login = {"name": "ada", "password": "correct horse battery"}
    with (
        httpx.Client(base_url=server.url, timeout=60) as browser,
        httpx.Client(base_url=server.url, timeout=60) as other,
    ):
        for page in (browser, other):
            assert page.post("/api/v1/login", json=login, headers={"Origin": server.url}).status_code == 200
        token = browser.post(f"/chat/{session_id}/token", headers=_changing(server)).json()["token"]
        with browser.stream("GET", ADMINISTRATORS) as ends, other.stream("GET", ADMINISTRATORS) as stays:
            lines = ends.iter_lines()
            assert any("connection.established" in line for line in lines)
            assert any("connection.established" in line for line in stays.iter_lines())
            with FeedClient(server.url, session_id, None, token=token) as by_token:
                assert browser.post("/api/v1/logout", headers=_changing(server)).status_code == 200
                # Comes to an end only where the stream does.
                collections.deque(lines, maxlen=0)
                assert _closed(by_token) == (_CODE, _REASON)
            assert not stays.is_closed
        assert other.get("/api/v1/me").json()["id"] == "admin:ada"


def _changing(server: Stack) -> dict[str, str]:
    return {"Origin": server.url, "X-Requested-With": "spanfeed"}


@pytest.mark.parametrize("origin", ["https://chat.example.org", "https://evil.example.org", None])
def test_a_stream_lets_the_same_pages_read_it_as_any_answer_does(
    server: Stack, session_id: str, origin: str | None
) -> None:
    """Without this a page of an allowed origin could poll, and could not stream; or any page could read the stream."""
    headers = {"X-API-Key": KEY, **({"Origin": origin} if origin else {})}
    names = {"access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"}
    with server.client() as http:
        with http.stream("GET", f"/chat/events/{session_id}/stream", headers=headers) as stream:
            streamed = {name: value for name, value in stream.headers.items() if name in names}
            assert stream.headers["Vary"] == "Origin"
        polled = http.get(f"/chat/events/{session_id}", headers=headers).headers
    assert streamed == {name: value for name, value in polled.items() if name in names}
    assert ("access-control-allow-origin" in streamed) is (origin == "https://chat.example.org")

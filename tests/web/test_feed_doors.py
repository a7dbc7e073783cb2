"""Who is let in to the WebSocket feed: everybody else is refused over HTTP, before the handshake."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.parts.stack import KEY, Stack
from tests.parts.waiting import wait_for
from tests.web.site import APP_KEY
from tests.web.wire import HANDSHAKE, Reply, Wire

FOREIGN = [
    "http://evil.example",
    "null",
    "http://{host}.evil.example",
    "http://evil.example:{port}",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://127.0.0.1:{port}@evil.example",
    "https://chat.example.org.evil.example",
    "https://evilchat.example.org",
    "http://chat.example.org",
    "https://chat.example.org:444",
    "{host}",
    "http://[",
    "http://",
]


def _knock(stack: Stack, path: str, key: str | None = KEY, **headers: str | None) -> Reply:
    with Wire(stack.url) as wire:
        return wire.upgrade(path, key, **headers)


def _reply_once(status: int, stack: Stack, path: str, key: str | None = KEY, **headers: str | None) -> Reply:
    """The first reply of this status: feeds of another test may give their last places back only now."""

    def fits(reply: Reply) -> Reply | None:
        return reply if reply.status == status else None

    return wait_for(lambda: fits(_knock(stack, path, key, **headers)), f"a reply of status {status}")


def _refused(reply: Reply, status: int, slug: str | None = None) -> str:
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json
    assert body["status"] == status
    if slug is not None:
        assert body["type"] == f"urn:spanfeed:problem:{slug}"
    return str(body["detail"])


def _visitor(stack: Stack) -> tuple[str, str]:
    """A visitor's cookie and the id of their session."""
    reply = httpx.post(f"{stack.url}/page/session", headers={"Origin": stack.url})
    return f"spanfeed_visitor={reply.cookies['spanfeed_visitor']}", reply.json()["session_id"]


@pytest.mark.parametrize("key", [KEY, APP_KEY])
def test_a_key_opens_a_feed(server: Stack, session_id: str, key: str) -> None:
    """An application could not show its users anything live."""
    reply = _knock(server, f"/chat/ws/events/{session_id}", key)
    assert reply.status == 101
    assert reply.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_without_a_key_there_is_no_feed(server: Stack, session_id: str) -> None:
    """Whoever guesses a session's id could listen to it."""
    reply = _knock(server, f"/chat/ws/events/{session_id}", None)
    assert _refused(reply, 401) == "API key required. Please provide X-API-Key header."
    assert reply.headers["www-authenticate"] == "ApiKey"


@pytest.mark.parametrize("query", [f"?token={KEY}", f"?api_key={KEY}", f"?key={KEY}", f"?X-API-Key={KEY}"])
def test_a_key_in_the_address_opens_no_feed(server: Stack, query: str) -> None:
    """Keys would end up in logs, because browsers cannot send headers and this works."""
    _refused(_knock(server, f"/chat/ws/events/s{query}", None), 401, "unauthenticated")


def test_a_wrong_key_opens_no_feed(server: Stack) -> None:
    """Whoever tries keys would be let in."""
    assert _refused(_knock(server, "/chat/ws/events/s", "sf_wrong"), 401) == "Invalid API key"


def test_a_token_opens_its_sessions_feed_only(server: Stack, session_id: str) -> None:
    """A browser could not listen to its own session, or could to another's."""
    with server.client() as client:
        token = client.post(f"/chat/{session_id}/token").json()["token"]
    assert _knock(server, f"/chat/ws/events/{session_id}?token={token}", None).status == 101
    _refused(_knock(server, f"/chat/ws/events/another?token={token}", None), 404, "not_found")
    _refused(_knock(server, f"/chat/ws/events/{session_id}?token={token[:-2]}AA", None), 401, "unauthenticated")
    assert token not in server.log("web")


def test_a_visitors_cookie_opens_their_own_feed_from_their_own_page(server: Stack, session_id: str) -> None:
    """The page would show nothing live, or would show others' sessions."""
    cookie, own = _visitor(server)
    for origin in (server.url, "https://chat.example.org"):
        assert _knock(server, f"/chat/ws/events/{own}", None, Cookie=cookie, Origin=origin).status == 101
    foreign = _knock(server, f"/chat/ws/events/{session_id}", None, Cookie=cookie, Origin=server.url)
    assert _refused(foreign, 404, "not_found") == "Chat session not found"


@pytest.mark.parametrize("origin", [*FOREIGN, None])
def test_the_cookie_opens_no_feed_for_another_sites_page(server: Stack, origin: str | None) -> None:
    """Any page that a visitor happens to open could listen to their conversation."""
    cookie, own = _visitor(server)
    given = origin and origin.format(host=f"127.0.0.1:{server.port}", port=server.port)
    _refused(_knock(server, f"/chat/ws/events/{own}", None, Cookie=cookie, Origin=given), 403, "foreign_origin")


@pytest.mark.parametrize("origin", FOREIGN)
def test_another_sites_page_opens_no_feed_with_a_key_either(server: Stack, origin: str) -> None:
    """A key that leaked into another page would be usable from it."""
    given = origin.format(host=f"127.0.0.1:{server.port}", port=server.port)
    _refused(_knock(server, "/chat/ws/events/s", Origin=given), 403, "foreign_origin")


@pytest.mark.parametrize("query", ["after=abc", "after=-1", "after=1.5", "after=", "after=" + "9" * 30, "after=%D9%A1"])
def test_a_cursor_that_is_none_is_refused(server: Stack, query: str) -> None:
    """A client with a mistake would miss everything without being told."""
    _refused(_knock(server, f"/chat/ws/events/s?{query}"), 400, "invalid_cursor")


@pytest.mark.parametrize("query", ["event_status=bogus", "category=bogus", "priority=9", "event_type=a%20b"])
def test_filters_that_are_none_are_refused(server: Stack, query: str) -> None:
    """A client with a mistake would sit before a feed that stays silent."""
    _refused(_knock(server, f"/chat/ws/events/s?{query}"), 422)


@pytest.mark.parametrize("session", ["x" * 65, "a..b", "%00", "a%20b", "*"])
def test_a_feed_of_a_session_that_cannot_be_is_refused(server: Stack, session: str) -> None:
    """What a stranger makes up would become the name of a channel."""
    _refused(_knock(server, f"/chat/ws/events/{session}"), 422, "invalid_session_id")


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Version": None},
        {"Sec_WebSocket_Version": "8"},
        {"Sec_WebSocket_Version": "thirteen"},
        {"Connection": None},
        {"Connection": "keep-alive"},
        {"Upgrade": None},
        {"Upgrade": "h2c"},
    ],
    ids=str,
)
def test_half_a_handshake_is_the_clients_fault(server: Stack, changed: dict[str, str | None]) -> None:
    """A broken client, or a scanner, would fill the log with errors of the server."""
    headers = {name.replace("-", "_"): value for name, value in HANDSHAKE.items()} | changed
    reply = _knock(server, "/chat/ws/events/s", **headers)
    assert 400 <= reply.status < 500, reply.body
    _refused(reply, reply.status)


def test_an_unguessable_session_may_be_opened_to_whoever_knows_it(hasty: Stack, server: Stack, session_id: str) -> None:
    """A frontend of the first seed, which sends no key, could not be used unchanged; or all servers would be open."""
    _reply_once(101, hasty, f"/chat/ws/events/{session_id}", None)
    _reply_once(101, hasty, f"/chat/ws/events/{session_id}", None, Origin=hasty.url)
    _refused(_knock(server, f"/chat/ws/events/{session_id}", None), 401)
    assert "SPANFEED_OPEN_FEEDS" in hasty.log("web")
    assert "SPANFEED_OPEN_FEEDS" not in server.log("web")


@pytest.mark.parametrize(
    "name", ["s", "session-1", "0" * 32, str(uuid.UUID(int=0)), "60c3a014-e7d8-11f1-89f3-02fc00000001", "1" * 64]
)
def test_a_session_that_can_be_guessed_stays_closed(hasty: Stack, name: str) -> None:
    """Whoever counts through the ids could listen to all sessions."""
    _refused(_knock(hasty, f"/chat/ws/events/{name}", None), 401)


def test_open_feeds_open_nothing_else(hasty: Stack, session_id: str) -> None:
    """Whoever knows a session's id could read it all, write into it, or listen from any page."""
    for path in (f"/chat/events/{session_id}", f"/chat/events/{session_id}/latest", f"/chat/{session_id}"):
        assert httpx.get(hasty.url + path).status_code == 401
    assert httpx.post(f"{hasty.url}/chat/", json={"message": "x", "session_id": session_id}).status_code == 401
    _refused(_knock(hasty, f"/chat/ws/events/{session_id}", None, Origin="http://evil.example"), 403)
    _refused(_knock(hasty, f"/chat/ws/events/{session_id}", "sf_wrong"), 401)


both_ways = pytest.mark.parametrize("way", ["threads", "relay"])


@pytest.fixture
def hold(hasty: Stack) -> Iterator[Callable[[str], Wire]]:
    """Opens feeds, each as soon as there is a place for it, and closes them at the end."""
    held: list[Wire] = []

    def knock(session_id: str) -> bool:
        held.append(Wire(hasty.url))
        if held[-1].upgrade(f"/chat/ws/events/{session_id}").status == 101:
            return True
        held.pop().socket.close()
        return False

    def open_feed(session_id: str) -> Wire:
        wait_for(lambda: knock(session_id), "a place for a feed")
        return held[-1]

    yield open_feed
    for wire in held:
        wire.socket.close()


@both_ways
def test_a_session_has_so_many_feeds(hasty: Stack, session_id: str, hold: Callable[[str], Wire]) -> None:
    """One user with many tabs could take the places of all others."""
    first, _ = hold(session_id), hold(session_id)
    reply = _reply_once(429, hasty, f"/chat/ws/events/{session_id}")
    _refused(reply, 429, "too_many_feeds")
    assert int(reply.headers["retry-after"]) > 0
    hold(f"{session_id}-other")
    first.socket.close()
    hold(session_id)


@both_ways
def test_a_server_has_so_many_feeds(hasty: Stack, session_id: str, hold: Callable[[str], Wire]) -> None:
    """With every thread held by a feed the server would answer nobody."""
    first, *_ = [hold(f"{session_id}-{number}") for number in range(5)]
    reply = _knock(hasty, f"/chat/ws/events/{session_id}")
    _refused(reply, 503, "no_place")
    assert int(reply.headers["retry-after"]) > 0
    assert httpx.get(f"{hasty.url}/health").status_code == 200
    first.socket.close()
    hold(session_id)


@both_ways
def test_a_crowd_at_the_door_does_not_slip_in_together(hasty: Stack) -> None:
    """Many clients that come back at once, as after a network fault, would pass the limit unnoticed."""
    for _ in range(8):
        statuses = _crowd(hasty, str(uuid.uuid4()), 20)
        assert statuses.count(101) <= 2, statuses
        assert set(statuses) <= {101, 429, 503}


def _crowd(stack: Stack, session_id: str, size: int) -> list[int]:
    """What so many clients are told that all knock at the same moment."""
    wires = [Wire(stack.url) for _ in range(size)]
    together = threading.Barrier(size, timeout=20)

    def knock(wire: Wire) -> int:
        together.wait()
        return wire.upgrade(f"/chat/ws/events/{session_id}").status

    with ThreadPoolExecutor(size) as pool:
        statuses = list(pool.map(knock, wires))
    for wire in wires:
        wire.socket.close()
    return statuses

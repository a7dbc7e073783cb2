"""Several sessions over one WebSocket: asked for, caught up with, refused as a feed of their own would be, and left."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from pipeline.bus import Bus
from pipeline.bus.keys import session_channel
from tests.parts.feed_client import FeedClient, Frame
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.web.site import emit


@pytest.fixture(params=["threads", "relay"])
def way(request: pytest.FixtureRequest) -> str:
    """Both ways in which feeds are served."""
    return str(request.param)


def _say(client: FeedClient, kind: str, **more: Any) -> None:
    client.socket.send(json.dumps({"type": kind, **more}))


def _until(client: FeedClient, kind: str) -> Frame:
    return client.until(lambda frame: frame["type"] == kind)


def _subscribe(client: FeedClient, session_id: str, **more: Any) -> Frame:
    _say(client, "subscribe", session_id=session_id, **more)
    frame = client.until(lambda frame: frame["type"] in {"subscribed", "refused"})
    assert frame["session_id"] == session_id
    return frame


def _until_id(client: FeedClient, event_id: int) -> list[tuple[str, int]]:
    client.until(lambda frame: frame["type"] == "event" and frame["event"]["id"] == event_id)
    return [(event["session_id"], event["id"]) for event in client.events]


def _token(stack: Stack, session_id: str) -> str:
    with stack.client() as http:
        return str(http.post(f"/chat/{session_id}/token").json()["token"])


def test_two_sessions_over_one_socket(server: Stack, server_bus: Bus, session_id: str) -> None:
    """Without this a page that shows three conversations would need three connections."""
    other = f"{session_id}-2"
    with server.feed(session_id) as client:
        _subscribe(client, other)
        ids: dict[str, list[int]] = {session_id: [], other: []}
        for _ in range(3):
            for name, emitted in ids.items():
                emitted += emit(server_bus, name)
        while len(client.events) < 6:
            client.next()
        for name, emitted in ids.items():
            assert [event["id"] for event in client.events if event["session_id"] == name] == emitted


def test_a_further_session_is_caught_up_with(server: Stack, server_bus: Bus, session_id: str) -> None:
    """Without this a session that is added would begin with a hole."""
    other = f"{session_id}-2"
    ids = emit(server_bus, other, 600)
    with server.feed(session_id) as client:
        subscribed = _subscribe(client, other, after=ids[1])
        assert subscribed["last_id"] >= ids[-1]
        assert subscribed["epoch"] == client.frames[0]["epoch"]
        hello = client.next()
        assert (hello["type"], hello["session_id"], hello["after"]) == ("hello", other, ids[1])
        ids += emit(server_bus, other, 2)
        assert _until_id(client, ids[-1]) == [(other, event_id) for event_id in ids[2:]]


def test_a_cursor_that_is_worth_nothing_names_its_session(server: Stack, server_bus: Bus, session_id: str) -> None:
    """Without this a client could not tell which of its sessions it has to forget."""
    other = f"{session_id}-2"
    [event_id] = emit(server_bus, other)
    with server.feed(session_id) as client:
        _subscribe(client, other, after=event_id, epoch="another")
        reset = client.next()
        assert (reset["type"], reset["session_id"], reset["reason"]) == ("reset", other, "epoch")
        assert _until_id(client, event_id) == [(other, event_id)]


def test_words_of_an_answer_name_a_further_session_only(server: Stack, server_bus: Bus, session_id: str) -> None:
    """Without this two answers would run into each other, or an old client would find a field that it cannot have."""
    other = f"{session_id}-2"
    frame = b'0 chunk - - -\n{"type":"chunk","message_id":"m","attempt":1,"offset":0,"text":"w"}'
    with server.feed(session_id) as client, server.feed(other) as plain, server.redis.client() as redis:
        _subscribe(client, other)
        for name in (session_id, other):
            redis.publish(session_channel(name), frame)
        said = [_until(client, "chunk"), _until(client, "chunk")]
        assert said[0] == json.loads(frame.partition(b"\n")[2])
        assert said[1] == {**said[0], "session_id": other}
        assert _until(plain, "chunk") == said[0]


def test_filters_hold_for_their_session_alone(server: Stack, server_bus: Bus, session_id: str) -> None:
    """Without this a client would have to read what it does not want, or miss what it does."""
    other = f"{session_id}-2"
    with server.feed(session_id) as client:
        _subscribe(client, other, event_type=["tool_*"])
        [plain] = emit(server_bus, session_id, event_type="agent_thinking")
        _until_id(client, plain)
        emit(server_bus, other, event_type="agent_thinking")
        [tool] = emit(server_bus, other, event_type="tool_search")
        assert _until_id(client, tool) == [(session_id, plain), (other, tool)]
        # What is asked again goes before what was asked first.
        _subscribe(client, other)
        [both] = emit(server_bus, other, event_type="agent_thinking")
        assert _until_id(client, both)[-1] == (other, both)
        assert len(client.events) == 3


def test_a_session_that_is_left_is_silent(server: Stack, server_bus: Bus, session_id: str) -> None:
    """Without this a page would go on paying for a conversation that was closed; the first one can be, too."""
    other = f"{session_id}-2"
    with server.feed(session_id) as client:
        _subscribe(client, other)
        _say(client, "unsubscribe", session_id=session_id)
        assert _until(client, "unsubscribed") == {"type": "unsubscribed", "session_id": session_id}
        emit(server_bus, session_id)
        [event_id] = emit(server_bus, other)
        assert _until_id(client, event_id) == [(other, event_id)]
        _say(client, "unsubscribe", session_id=session_id)
        refused = _until(client, "refused")
        assert refused == {"type": "refused", "session_id": session_id, "reason": "not_found"}
        _say(client, "unsubscribe", session_id=other)
        _until(client, "unsubscribed")
        client.socket.send("ping")
        _until(client, "text")
        _subscribe(client, session_id)
        [again] = emit(server_bus, session_id)
        assert _until_id(client, again)[-1] == (session_id, again)


def _visitor(stack: Stack, cookie: str = "") -> tuple[str, str]:
    headers = {"Origin": stack.url, **({"Cookie": cookie} if cookie else {})}
    reply = httpx.post(f"{stack.url}/page/session", headers=headers)
    return cookie or f"spanfeed_visitor={reply.cookies['spanfeed_visitor']}", reply.json()["session_id"]


@pytest.fixture
def visit(server: Stack) -> Iterator[Callable[[str, str], FeedClient]]:
    """Opens the feed of a visitor."""
    opened: list[FeedClient] = []

    def open_feed(cookie: str, session_id: str) -> FeedClient:
        client = FeedClient.__new__(FeedClient)
        address = f"{server.url.replace('http', 'ws', 1)}/chat/ws/events/{session_id}"
        headers = {"Cookie": cookie}
        client.socket = connect(address, additional_headers=headers, origin=server.url, legacy=True)  # type: ignore[arg-type]
        client.frames = []
        opened.append(client)
        return client

    yield open_feed
    for client in opened:
        client.socket.close()


def test_a_visitor_follows_their_own_sessions_only(
    server: Stack, session_id: str, visit: Callable[[str, str], FeedClient]
) -> None:
    """Without this a visitor could listen to everybody's conversations over a feed of their own."""
    cookie, first = _visitor(server)
    _, second = _visitor(server, cookie)
    _, foreign = _visitor(server)
    client = visit(cookie, first)
    assert _subscribe(client, second)["type"] == "subscribed"
    for name in (foreign, session_id):
        assert _subscribe(client, name) == {"type": "refused", "session_id": name, "reason": "not_found"}
    assert _subscribe(client, foreign, token=_token(server, foreign))["type"] == "subscribed"


def test_a_token_opens_its_own_session_only(server: Stack, server_bus: Bus, session_id: str) -> None:
    """Without this whoever was let into one session could listen to all."""
    other, third = f"{session_id}-2", f"{session_id}-3"
    with FeedClient(server.url, session_id, None, token=_token(server, session_id)) as client:
        assert _subscribe(client, other)["reason"] == "not_found"
        assert _subscribe(client, other, token=_token(server, third))["reason"] == "forbidden"
        assert _subscribe(client, other, token="nonsense")["reason"] == "forbidden"
        emit(server_bus, other)
        assert _subscribe(client, other, token=_token(server, other))["type"] == "subscribed"
        [event_id] = emit(server_bus, other)
        assert _until_id(client, event_id) == [(other, event_id)]
        _say(client, "token", token=_token(server, session_id))
        assert _until(client, "token_accepted")["expires_at"] > 0


def test_an_open_feed_opens_unguessable_sessions_only(hasty: Stack, session_id: str) -> None:
    """Without this a frontend that sends no key could not follow a second session, or could guess all."""
    other = str(uuid.uuid4())
    with FeedClient(hasty.url, session_id, None) as client:
        assert _subscribe(client, "session-1")["reason"] == "forbidden"
        assert _subscribe(client, other)["type"] == "subscribed"


def test_a_socket_follows_so_many_sessions(hasty: Stack, session_id: str) -> None:
    """Without this one connection could follow without end."""
    with hasty.feed(session_id) as client:
        for number in (2, 3):
            assert _subscribe(client, f"{session_id}-{number}")["type"] == "subscribed"
        assert _subscribe(client, f"{session_id}-4")["reason"] == "too_many"
        assert _subscribe(client, f"{session_id}-3")["type"] == "subscribed"
        _say(client, "unsubscribe", session_id=f"{session_id}-3")
        assert _subscribe(client, f"{session_id}-4")["type"] == "subscribed"


def test_a_further_session_takes_a_place_in_it_and_gives_it_back(hasty: Stack, session_id: str) -> None:
    """Without this the limit of a session would be got round over another, or its places would be lost."""
    full = f"{session_id}-full"

    def gets_in(client: FeedClient) -> bool:
        return _subscribe(client, full)["type"] == "subscribed"

    with (
        hasty.feed(session_id) as first,
        hasty.feed(f"{session_id}-2") as second,
        hasty.feed(f"{session_id}-3") as third,
    ):
        assert gets_in(first)
        assert gets_in(second)
        assert _subscribe(third, full)["reason"] == "too_many"
        # Who has a place may ask again, for other events.
        assert gets_in(first)
        _say(first, "unsubscribe", session_id=full)
        _until(first, "unsubscribed")
        assert gets_in(third)
        assert not gets_in(first)
        second.socket.close()
        wait_for(lambda: gets_in(first), "the place of a client that has gone")

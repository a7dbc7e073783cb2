"""Server-Sent Events, by a relay and by threads: the same events, resumed by id, refused with true status codes."""

from __future__ import annotations

import json
import signal
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pipeline.bus import Bus, open_bus
from pipeline.event import Status
from tests.parts.redis_part import RedisPart
from tests.parts.stack import KEY, Stack
from tests.parts.stream_client import StreamClient
from tests.parts.waiting import wait_for
from tests.pipeline.driven import kept
from tests.relay.conftest import WAYS
from tests.web.site import emit
from tests.web.wire import Wire


@pytest.fixture(params=WAYS)
def stack(request: pytest.FixtureRequest, shared: Callable[[str], Stack]) -> Stack:
    """A server that serves feeds in one way or the other."""
    return shared(str(request.param))


@pytest.fixture
def bus(stack: Stack) -> Iterator[Bus]:
    """A bus beside it, to append events as a worker would."""
    opened = open_bus(stack.settings())
    yield opened
    opened.close_connections()


def _open(stack: Stack, session_id: str, last_event_id: str | None = None, **query: Any) -> StreamClient:
    return StreamClient(stack.url, session_id, KEY, last_event_id, **query)


def test_a_stream_begins_as_a_browser_and_a_proxy_want_it(stack: Stack, session_id: str) -> None:
    """Without this a browser would not take it for a stream, or a proxy would hold it back."""
    with _open(stack, session_id) as client:
        assert client.reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert client.reply.headers["Cache-Control"] == "no-store"
        assert client.reply.headers["X-Accel-Buffering"] == "no"
        first = client.next()
        assert (first.name, first.last_id) == ("connection", "")
        assert (first.json["type"], first.json["session_id"]) == ("connection", session_id)
        assert client.retry_ms is not None
        assert 500 <= client.retry_ms <= 3_500


def test_an_event_is_its_own_bytes_under_its_own_id(stack: Stack, bus: Bus, session_id: str) -> None:
    """Without this a client that changes from one transport to another would see every event twice, or another."""
    emit(bus, session_id, 2)
    with _open(stack, session_id, after=0) as client:
        emit(bus, session_id, 1, data={"big": 2**53 + 1, "text": "\u2028é\n"})
        wires = kept(bus, session_id)
        client.until_id(wires[-1].id)
    told = [message for message in client.messages if message.name == "message"]
    assert [message.data.encode() for message in told] == [event.wire for event in wires]
    assert [message.last_id for message in told] == [str(event.id) for event in wires]
    assert [message.name for message in client.messages[:2]] == ["connection", "hello"]


def test_a_browser_that_comes_back_gets_what_it_missed(stack: Stack, bus: Bus, session_id: str) -> None:
    """Without this a reconnection, which browsers make by themselves, would lose events or repeat all of them."""
    ids = emit(bus, session_id, 6)
    # A browser asks the same address again: the header goes before what stands there.
    with _open(stack, session_id, str(ids[3]), after=0) as client:
        ids += emit(bus, session_id, 2)
        assert client.until_id(ids[-1]) == ids[4:]


def test_without_a_cursor_only_what_is_new_is_given(stack: Stack, bus: Bus, session_id: str) -> None:
    """Without this a page would show old stages as if they ran now."""
    emit(bus, session_id, 3)
    with _open(stack, session_id) as client:
        client.until(lambda message: message.name == "connection")
        new = emit(bus, session_id, 2)
        assert client.until_id(new[-1]) == new


def test_a_cursor_that_is_worth_nothing_is_said_to_be(stack: Stack, bus: Bus, session_id: str) -> None:
    """Without this a client would wait for ids that never come, after Redis has lost its data."""
    ids = emit(bus, session_id, 2)
    with _open(stack, session_id, str(ids[0]), epoch="1") as client:
        assert client.until_id(ids[-1]) == ids
    assert [message.name for message in client.messages[:3]] == ["connection", "reset", "hello"]
    assert client.messages[1].json["reason"] == "epoch"


def test_filters_hold(stack: Stack, bus: Bus, session_id: str) -> None:
    """Without this a stream would tell other events than the WebSocket with the same filters."""
    emit(bus, session_id, 2)
    wanted = emit(bus, session_id, 1, "tool_search_documents", Status.FAILED)
    with _open(stack, session_id, after=0, event_type="tool_*", event_status="failed") as client:
        client.until_id(wanted[0])
        emit(bus, session_id, 2)
        wanted += emit(bus, session_id, 1, "tool_search_documents", Status.FAILED)
        assert client.until_id(wanted[-1]) == wanted


def test_the_words_of_an_answer_come_by_name(stack: Stack, bus: Bus, session_id: str) -> None:
    """Without this a page on a stream would show no answer before it is whole."""
    with _open(stack, session_id) as client:
        client.until(lambda message: message.name == "connection")
        message_id = stack.ask_async("How?", session_id)
        token = uuid.uuid4().hex
        bus.begin(session_id, message_id, "receive", token, "test/1", [])
        assert bus.chunk(session_id, message_id, token, 1, 0, "Set it")
        chunk = client.until(lambda message: message.name == "chunk")
        assert (chunk.json["text"], chunk.json["message_id"]) == ("Set it", message_id)
        with _open(stack, session_id, after=0) as late:
            answer = late.until(lambda message: message.name == "answer")
            assert answer.json["text"] == "Set it"


def test_a_quiet_stream_shows_signs_of_life(stack: Stack, session_id: str) -> None:
    """Without this a proxy would cut a stream on which nothing happens."""
    with Wire(stack.url) as wire:
        reply = wire.request("GET", f"/chat/events/{session_id}/stream", {"X-API-Key": KEY})
        assert reply.status == 200
        heard = b""
        while b": keepalive\n\n" not in heard:
            heard += wire.socket.recv(4_096)


@pytest.mark.parametrize("cursor", ["abc", "-1", "1.5", "", "9" * 30, "1, 2"])
def test_a_cursor_that_is_none_is_refused(stack: Stack, cursor: str) -> None:
    """Without this a client with a mistake would miss everything without being told."""
    for client in (_open(stack, "s", cursor), _open(stack, "s", after=cursor)):
        assert client.reply.status == 400
        assert json.loads(client.refusal)["type"] == "urn:spanfeed:problem:invalid_cursor"


def test_who_may_not_listen_is_told_by_a_status(stack: Stack, session_id: str) -> None:
    """Without this a stranger could listen, or a page would take a refusal for a broken stream and try for ever."""
    url = f"{stack.url}/chat/events/{session_id}/stream"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"X-API-Key": "sf_wrong"}).status_code == 401
    with stack.client() as client:
        token = client.post("/chat/another/token").json()["token"]
        assert httpx.get(f"{url}?token={token}").status_code == 404
        assert client.get(f"{url}?event_status=bogus").status_code == 422
        assert client.get(f"{stack.url}/chat/events/a..b/stream").status_code == 422
        assert client.post(url).status_code == 405


def test_a_token_in_the_address_opens_its_sessions_stream(stack: Stack, bus: Bus, session_id: str) -> None:
    """Without this a browser, whose EventSource sends no headers, could not listen to its own session."""
    with stack.client() as client:
        token = client.post(f"/chat/{session_id}/token").json()["token"]
    with StreamClient(stack.url, session_id, None, token=token) as stream:
        stream.until(lambda message: message.name == "connection")
        assert stream.until_id(emit(bus, session_id)[0])
    assert token not in stack.log("web")


def test_a_look_at_the_head_opens_nothing(stack: Stack, session_id: str) -> None:
    """Without this a check whether the stream is there would hang."""
    with stack.client() as client:
        reply = client.head(f"/chat/events/{session_id}/stream")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"


def test_an_old_http_is_refused(stack: Stack, session_id: str) -> None:
    """Without this a proxy that is not set up for streams would hold events back without a word."""
    with Wire(stack.url) as wire:
        wire.socket.sendall(f"GET /chat/events/{session_id}/stream HTTP/1.0\r\nX-API-Key: {KEY}\r\n\r\n".encode())
        assert wire.socket.recv(4_096).startswith(b"HTTP/1.0 406 ")


def _lets_in(stack: Stack, session_id: str) -> bool:
    client = _open(stack, session_id)
    client.close()
    return client.reply.status == 200


def test_a_session_has_so_many_streams(make_stack: Callable[..., Stack], session_id: str) -> None:
    """Without this one user with many tabs could take the places of all others, or be refused for ever."""
    stack = make_stack(SPANFEED_FEED_SOCKETS_PER_SESSION_LIMIT="2", SPANFEED_RELAY_SOCKETS_LIMIT="3")
    stack.start(worker=False, recorder=False, relay=True)
    first, second = _open(stack, session_id), _open(stack, session_id)
    with first, second:
        full = _open(stack, session_id).reply
        assert (full.status, full.headers["Retry-After"]) == (429, "5")
        with _open(stack, f"{session_id}-2"):
            assert _open(stack, f"{session_id}-3").reply.status == 503
        first.close()
        wait_for(lambda: _lets_in(stack, session_id), "the place that was given back")


def test_without_redis_a_stream_is_refused_not_broken(
    make_stack: Callable[..., Stack], valkey: RedisPart, session_id: str
) -> None:
    """Without this a browser would see an open stream that never says anything."""
    stack = make_stack().start(worker=False, recorder=False, relay=True)
    valkey.stop(kill=True)
    client = _open(stack, session_id)
    assert (client.reply.status, client.reply.headers["Content-Type"]) == (503, "application/problem+json")
    assert json.loads(client.refusal)["status"] == 503


def test_streams_end_with_the_relay(relayed: Stack, session_id: str) -> None:
    """Without this a browser would wait on a dead stream instead of coming back."""
    with _open(relayed, session_id) as client:
        client.until(lambda message: message.name == "connection")
        relayed.processes["relay"].send_signal(signal.SIGTERM)
        with pytest.raises(EOFError):
            client.next(5)

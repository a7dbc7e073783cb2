"""What a real server answers and tells is what the documents say: messages that are sent, and open feeds."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pipeline.bus import Bus
from pipeline.event import Category, Identity, Priority, Status
from pipeline.store import conversations
from tests.parts.feed_client import FeedClient, Frame
from tests.parts.stack import KEY, Stack
from tests.parts.stream_client import StreamClient
from tests.web.contract_reader import ContractReader
from tests.web.site import ADMIN_KEY, emit
from tests.web.test_openapi_answers import ANSWER

_ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def client(server: Stack) -> Iterator[httpx.Client]:
    """A client with the key."""
    with server.client() as opened:
        yield opened


@pytest.fixture
def openapi(client: httpx.Client) -> ContractReader:
    """Reads what is said of the routes."""
    return ContractReader(client.get("/api/v1/openapi.json").json())


@pytest.fixture
def asyncapi(client: httpx.Client) -> ContractReader:
    """Reads what is said of the feeds."""
    return ContractReader(client.get("/api/v1/asyncapi.json").json())


def _faults(reader: ContractReader, feed: str, kind: str, said: Any) -> list[str]:
    return reader.faults(reader.document["components"]["messages"][f"{feed}.{kind}"]["payload"], said)


def test_answers_to_messages_are_as_described(
    server: Stack, client: httpx.Client, openapi: ContractReader, session_id: str
) -> None:
    """Without this a program made from the document could not read the answers to its questions."""

    def check(path: str, reply: httpx.Response, status: int) -> str:
        assert reply.status_code == status, reply.text
        openapi.check_parts(path, "post", reply.status_code, reply.headers, reply.content)
        return str(reply.json().get("message_id"))

    body = {"message": "Write to a@example.org", "session_id": session_id}
    head = {"Idempotency-Key": uuid.uuid4().hex}
    message_id = check("/chat/", client.post("/chat/", json=body, headers={**head, **_ASYNC}), 202)
    conversations.save_answer(server.store, message_id=message_id, content="So.", answer=ANSWER, confidence=0.5)
    check("/chat/", client.post("/chat/", json=body, headers=head), 200)
    check("/chat/{collection}", client.post("/chat/docs", json={"message": "How?"}, headers=_ASYNC), 202)
    failed = check("/chat/", client.post("/chat/", json=body, headers=_ASYNC), 202)
    retry = "/chat/{session_id}/messages/{message_id}/retry"
    with server.store.write() as connection:
        conversations.fail_message(connection, failed, "failed", "timeout", "")
    check(retry, client.post(f"/chat/{session_id}/messages/{failed}/retry"), 202)
    check(retry, client.post(f"/chat/{session_id}/messages/{message_id}/retry"), 409)


def _write(bus: Bus, session_id: str) -> str:
    """A message whose answer is being written, then begun anew."""
    message_id, token = str(uuid.uuid4()), uuid.uuid4().hex
    error = Identity("error", Category.WORKFLOW, Priority.HIGH, session_id=session_id, message_id=message_id)
    bus.submit(message_id, session_id, None, "receive", error, "q:none", b"first")
    bus.begin(session_id, message_id, "receive", token, "test/1", [])
    assert bus.chunk(session_id, message_id, token, 1, 0, "So ")
    return message_id


def _is(kind: str) -> Callable[[Frame], bool]:
    return lambda frame: frame["type"] == kind


def test_frames_of_a_websocket_are_as_described(
    server: Stack, server_bus: Bus, client: httpx.Client, asyncapi: ContractReader, session_id: str
) -> None:
    """Without this a client made from the document would not understand an open feed."""
    emit(server_bus, session_id, 1)
    token = client.post(f"/chat/{session_id}/token").json()["token"]
    with FeedClient(server.url, session_id, token, after=0) as feed:
        _write(server_bus, session_id)
        feed.until(_is("chunk"))
        said: list[tuple[Any, str]] = [
            ("ping", "text"),
            ({"type": "ping"}, "pong"),
            ({"type": "subscribe", "session_id": "another"}, "refused"),
            ({"type": "subscribe", "session_id": session_id, "after": 0}, "subscribed"),
            ({"type": "token", "token": token}, "token_accepted"),
            ({"type": "token", "token": "none"}, "token_refused"),
            ({"type": "unsubscribe", "session_id": session_id}, "unsubscribed"),
        ]
        for words, kind in said:
            feed.socket.send(words if isinstance(words, str) else json.dumps(words))
            feed.until(_is(kind))
    kinds = set()
    for frame in feed.frames:
        # The bare word.
        if frame["type"] != "text":
            kinds.add(frame["type"])
            assert _faults(asyncapi, "session", frame["type"], frame) == []
    assert kinds >= {"connection", "hello", "event", "chunk", *(kind for _, kind in said[1:])}


@pytest.mark.parametrize("feed", ["stream", "user", "operators"])
def test_messages_of_a_stream_are_as_described(
    server: Stack, server_bus: Bus, openapi: ContractReader, asyncapi: ContractReader, session_id: str, feed: str
) -> None:
    """Without this a client made from the document would not understand an open stream."""
    emit(server_bus, session_id, 1, status=Status.FAILED)
    address = asyncapi.document["channels"][feed]["address"]
    # Of other tests' events so many lie in the log that the streams across sessions begin with what is new.
    more: dict[str, Any] = {"after": 0} if feed == "stream" else {}
    key = ADMIN_KEY if feed == "operators" else KEY
    with StreamClient(server.url, address.format(session_id=session_id), key, **more) as stream:
        first = stream.next()
        if feed == "stream":
            _write(server_bus, session_id)
            told = [first, stream.until(lambda one: one.name == "chunk")]
        else:
            path = "test-event" if feed == "user" else "broadcast-test"
            reply = httpx.post(f"{server.url}/api/v1/events/{path}", headers={"X-API-Key": key}, timeout=20)
            assert reply.status_code == 200
            told = [first, stream.until(lambda one: one.name == "system.status")]
        openapi.check_parts(address, "get", 200, dict(stream.reply.headers), b"")
    for message in [*stream.messages, *told]:
        kind = message.name if f"{feed}.{message.name}" in asyncapi.document["components"]["messages"] else "event"
        assert _faults(asyncapi, feed, kind, message.json) == [], message

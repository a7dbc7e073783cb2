"""What a chat tells beside its stages: in the user's own feeds, once, without what was said."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest

from pipeline.bus import Bus
from tests.parts.stack import Stack

ASYNC = {"Prefer": "respond-async"}
TYPES = ("conversation.started", "conversation.ended", "message.received")


@pytest.fixture
def client(server: Stack) -> Iterator[httpx.Client]:
    """A client with the key."""
    with server.client() as made:
        yield made


def log_of(bus: Bus, session_id: str) -> bytes:
    """All events of the session, whoever sees them."""
    wires = [entry.wire or b"" for entry in bus.log.read_log(0, 2**53, 100_000)]
    return b"\n".join(wire for wire in wires if session_id.encode() in wire)


def of(bus: Bus, session_id: str, *types: str) -> list[dict[str, Any]]:
    """The session's events of these types, oldest first."""
    events = [orjson.loads(line) for line in log_of(bus, session_id).splitlines()]
    return [event for event in events if event["event_type"] in types]


def say(client: httpx.Client, session_id: str, **more: str) -> str:
    """Sends a message and gives its id."""
    body = {"message": "my secret is a pangolin", "session_id": session_id, "user_id": "anna"}
    reply = client.post("/chat/", json=body, headers={**ASYNC, **more})
    assert reply.status_code == 202, reply.text
    return str(reply.json()["message_id"])


def test_a_conversation_begins_and_ends_and_messages_come_in(
    client: httpx.Client, server_bus: Bus, session_id: str
) -> None:
    """Without this a user's list of conversations would not move until its page is loaded again."""
    sent = [say(client, session_id), say(client, session_id)]
    assert client.delete(f"/chat/{session_id}").status_code == 200
    events = of(server_bus, session_id, *TYPES)
    assert [e["event_type"] for e in events] == [
        "conversation.started",
        "message.received",
        "message.received",
        "conversation.ended",
    ]
    assert [e["event_data"]["message_id"] for e in events[1:3]] == sent
    assert events[3]["event_data"]["messages"] == 2
    for event in events:
        # No number of the session's, no status: the session's feed is the stages' own.
        assert (event["user_id"], event["seq"], event["event_status"]) == ("anna", None, None)
        assert event["metadata"]["audience"] == "person"
    assert b"pangolin" not in log_of(server_bus, session_id)


def test_a_session_that_is_begun_twice_at_once_is_told_once(
    client: httpx.Client, server_bus: Bus, session_id: str
) -> None:
    """Without this two first messages of a hasty user would be two conversations."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: say(client, session_id), range(4)))
    assert len(of(server_bus, session_id, "conversation.started")) == 1
    assert len(of(server_bus, session_id, "message.received")) == 4


def test_a_request_that_is_made_again_is_told_once(client: httpx.Client, server_bus: Bus, session_id: str) -> None:
    """Without this every retry of a client would be a further message."""
    assert say(client, session_id, **{"Idempotency-Key": "k1"}) == say(client, session_id, **{"Idempotency-Key": "k1"})
    assert len(of(server_bus, session_id, "message.received")) == 1


def test_a_visitors_session_is_told_when_it_is_made(client: httpx.Client, server_bus: Bus) -> None:
    """Without this the page's conversations would begin untold."""
    made = httpx.post(f"{client.base_url}/page/session").json()["session_id"]
    [event] = of(server_bus, made, "conversation.started")
    assert event["user_id"].startswith("visitor:")
    assert of(server_bus, made, "message.received") == []


def test_what_is_refused_is_not_told(client: httpx.Client, server_bus: Bus, session_id: str) -> None:
    """Without this a message that nobody will answer would be shown as received."""
    assert client.post("/chat/", json={"message": "", "session_id": session_id}).status_code == 422
    assert of(server_bus, session_id, *TYPES) == []

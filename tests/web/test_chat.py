"""Chat over HTTP: a message goes in at a real server; the test plays the worker that answers it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from pipeline.bus import Bus, keys
from pipeline.event import Status
from pipeline.store import conversations
from pipeline.store.recording import record
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.pipeline.driven import kept
from tests.web.site import emit

ASYNC = {"Prefer": "respond-async"}
ANSWER: dict[str, Any] = {
    "sources": [{"title": "Slow mode", "url": "slow-mode.md", "snippet": "Set the interval to zero."}],
    "confidence": 0.9,
    "retriever_type": "fts5",
    "usage": {"requests": 1, "request_tokens": 5, "response_tokens": 7, "total_tokens": 12, "details": {}},
    "follow_ups": ["How do I turn it on?", "Who may?"],
    "refused": False,
}


@pytest.fixture
def client(server: Stack) -> Iterator[httpx.Client]:
    """A client with the key."""
    with server.client() as opened:
        yield opened


def _accepted(stack: Stack, session_id: str, other_than: str = "") -> str:
    """The id of the session's newest message, once the server has taken it in and sent it."""

    def found() -> str | None:
        said = conversations.conversation(stack.store, session_id)
        if not said or said[-1].message_id == other_than:
            return None
        newest = said[-1].message_id
        return newest if stack.redis.client().exists(keys.run(newest)) else None

    return wait_for(found, "the message's run")


def _answer(stack: Stack, bus: Bus, session_id: str, message_id: str, content: str = "Set it to zero.") -> None:
    """What a worker does at a message's end."""
    conversations.save_answer(stack.store, message_id=message_id, content=content, answer=ANSWER, confidence=0.9)
    emit(bus, session_id, 1, "saving_message", status=Status.COMPLETED, message_id=message_id)


def test_the_answer_comes_in_the_seeds_shape(
    server: Stack, server_bus: Bus, client: httpx.Client, session_id: str
) -> None:
    """A client written for the first seed could not read the answer."""
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.post, "/chat/", json={"message": "How?", "session_id": session_id})
        message_id = _accepted(server, session_id)
        assert not asking.done()
        _answer(server, server_bus, session_id, message_id)
        reply = asking.result(20)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert len(body["trace_id"]) == 32
    expected = {
        "session_id": session_id,
        "message_id": message_id,
        "answer": "Set it to zero.",
        "sources": ANSWER["sources"],
        "confidence": 0.9,
        "retriever_type": "fts5",
        "usage": ANSWER["usage"],
    }
    assert {name: body[name] for name in expected} == expected
    assert body["warnings"] == []
    questions = body["recommended_follow_up_questions"]
    assert [item["question"] for item in questions] == ANSWER["follow_ups"]
    assert all(0 < item["relevance_score"] <= 1 for item in questions)


def test_a_failure_is_told_in_words(server: Stack, server_bus: Bus, client: httpx.Client, session_id: str) -> None:
    """A user would wait for an answer that will not come, or read an error of the server."""
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.post, "/chat/", json={"message": "How?", "session_id": session_id})
        message_id = _accepted(server, session_id)
        data = {"error_message": "The answer took too long."}
        emit(server_bus, session_id, 1, "error", status=Status.FAILED, message_id=message_id, data=data)
        reply = asking.result(20)
    assert reply.status_code == 503
    body = reply.json()
    assert body["detail"] == "The answer took too long."
    assert (body["message_id"], body["session_id"]) == (message_id, session_id)
    assert reply.headers["Location"] == f"/chat/{session_id}/messages/{message_id}"
    assert reply.headers["Retry-After"] == "5"


def test_another_messages_end_is_not_taken_for_ones_own(
    server: Stack, server_bus: Bus, client: httpx.Client, session_id: str
) -> None:
    """Two questions at once in one session would get each other's answer."""
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.post, "/chat/", json={"message": "first", "session_id": session_id})
        first_id = _accepted(server, session_id)
        second = pool.submit(client.post, "/chat/", json={"message": "second", "session_id": session_id})
        second_id = _accepted(server, session_id, other_than=first_id)
        _answer(server, server_bus, session_id, second_id, "two")
        assert second.result(20).json()["answer"] == "two"
        assert not first.done()
        _answer(server, server_bus, session_id, first_id, "one")
        assert first.result(20).json()["answer"] == "one"


@pytest.mark.parametrize("path", ["/chat/", "/chat"])
def test_who_does_not_want_to_wait_is_told_where_to_look(
    server: Stack, server_bus: Bus, client: httpx.Client, session_id: str, path: str
) -> None:
    """A client could not find the answer to the message that it has sent."""
    reply = client.post(path, json={"message": "How?", "session_id": session_id}, headers=ASYNC)
    assert reply.status_code == 202
    body, place = reply.json(), reply.headers["Location"]
    assert uuid.UUID(body["message_id"]).version == 4
    assert place == f"/chat/{session_id}/messages/{body['message_id']}"
    found = client.get(place).json()
    assert (found["status"], found["answer"], found["message_id"]) == ("queued", None, body["message_id"])
    _answer(server, server_bus, session_id, body["message_id"])
    found = client.get(place).json()
    assert (found["status"], found["answer"]) == ("completed", "Set it to zero.")
    assert found["sources"] == ANSWER["sources"]


def test_a_failed_message_says_so_where_it_is_looked_up(server: Stack, server_bus: Bus, session_id: str) -> None:
    """A client that comes back later would see a message that waits for ever."""
    message_id = server.ask_async("How?", session_id)
    emit(server_bus, session_id, 1, "error", status=Status.FAILED, message_id=message_id)
    failed = kept(server_bus, session_id)[-1].wire
    record(server.store, [("1-0", failed)], lambda _: "half an ans")
    with server.client() as client:
        found = client.get(f"/chat/{session_id}/messages/{message_id}").json()
    assert (found["status"], found["partial"], found["answer"]) == ("failed", True, "half an ans")


def test_an_answer_that_takes_too_long_becomes_a_promise(hasty: Stack, session_id: str) -> None:
    """A client behind a proxy would lose its answer together with the connection."""
    reply = hasty.ask("How?", session_id)
    assert reply.status_code == 202
    assert reply.json()["status"] == "accepted"
    assert reply.headers["Location"] == f"/chat/{session_id}/messages/{reply.json()['message_id']}"


def test_a_session_is_made_for_who_brings_none(client: httpx.Client) -> None:
    """A client that just asks would be refused."""
    first = client.post("/chat/", json={"message": "How?"}, headers=ASYNC).json()["session_id"]
    second = client.post("/chat/", json={"message": "How?", "session_id": None}, headers=ASYNC).json()["session_id"]
    assert uuid.UUID(first).version == uuid.UUID(second).version == 4
    assert first != second


def test_a_token_asks_in_its_own_session(client: httpx.Client, session_id: str, server: Stack) -> None:
    """A browser that brings no session would be put into somebody else's."""
    token = client.post(f"/chat/{session_id}/token").json()["token"]
    headers = {**ASYNC, "Authorization": f"Bearer {token}"}
    reply = httpx.post(f"{server.url}/chat/", json={"message": "How?"}, headers=headers)
    assert reply.status_code == 202, reply.text
    assert reply.json()["session_id"] == session_id


def test_unknown_fields_are_ignored_and_never_trusted(server: Stack, client: httpx.Client, session_id: str) -> None:
    """A client of the seeds that sends more would be refused, or could make itself an administrator."""
    more = {"role": "admin", "status": "completed", "owner": "somebody", "message_id": "mine", "stream": True}
    reply = client.post("/chat/", json={"message": "How?", "session_id": session_id, **more}, headers=ASYNC)
    assert reply.status_code == 202
    [said] = conversations.conversation(server.store, session_id)
    assert (said.role, said.status) == ("user", "accepted")
    assert said.message_id == reply.json()["message_id"] != "mine"
    session = conversations.find_session(server.store, session_id)
    assert session is not None
    assert session.owner == "key:main"


@pytest.mark.parametrize(
    "body",
    [
        {"message": "x" * 16_384},
        {"message": "\U0001f984" * 16_384},
        {"message": "  hello\n"},
        {"message": "hello", "metadata": {"a": {"b": [1, 2.5, None, True]}}, "user_id": "u-1", "language": "sw"},
        {"message": "hello", "metadata": {f"key{number}": number for number in range(200)}},
        {"message": "hello", "metadata": {"big": 2**63, "text": "a\tb"}},
        {"message": "a\x00b\ud7ffc"},
        {"message": "hello", "language": "xx-unknown"},
        {"message": "hello", "session_id": "a.b_c:d@e-" + "x" * 54},
    ],
    ids=["longest", "bytes", "spaces", "everything", "200 keys", "big", "NUL", "language", "session"],
)
def test_what_is_allowed_is_accepted(client: httpx.Client, body: dict[str, Any]) -> None:
    """A message within the limits would be lost."""
    assert client.post("/chat/", json=body, headers=ASYNC).status_code == 202


def test_an_unbelievable_trace_is_not_continued(client: httpx.Client, session_id: str) -> None:
    """A stranger could write into the traces of others."""
    given = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    for value in (given, "garbage"):
        headers = {**ASYNC, "traceparent": value}
        reply = client.post("/chat/", json={"message": "How?", "session_id": session_id}, headers=headers)
        assert reply.status_code == 202
        assert client.get(reply.headers["Location"]).json()["trace_id"] != "ab" * 16


def test_a_message_may_name_its_collection(server: Stack, client: httpx.Client, session_id: str) -> None:
    """A question about one collection would be answered from all."""
    reply = client.post("/chat/hand-book_1", json={"message": "How?", "session_id": session_id}, headers=ASYNC)
    assert reply.status_code == 202
    [said] = conversations.conversation(server.store, session_id)
    assert said.collection == "hand-book_1"


def test_many_messages_at_once_are_all_accepted(server: Stack, client: httpx.Client) -> None:
    """Under load some messages would be lost, or answered twice."""
    session_ids = [str(uuid.uuid4()) for _ in range(40)]
    ready = threading.Barrier(8, timeout=20)

    def ask(number: int) -> int:
        if number < 8:
            ready.wait()
        body = {"message": "How?", "session_id": session_ids[number]}
        return client.post("/chat/", json=body, headers=ASYNC).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(40))) == {202}
    assert all(len(conversations.conversation(server.store, one)) == 1 for one in session_ids)


def test_who_writes_personal_data_is_warned(client: httpx.Client, session_id: str) -> None:
    """Without this a user would not learn that a message should not have held a card's number; nothing is blocked."""
    message = "My card 4111 1111 1111 1111, my mail joe@example.org"
    headers = {"Prefer": "respond-async"}
    for text, kinds in ((message, ["card", "email"]), ("Where is my passport?", [])):
        reply = client.post("/chat/", json={"message": text, "session_id": session_id}, headers=headers)
        assert reply.status_code == 202
        assert reply.json()["warnings"] == ([{"code": "personal_data", "kinds": kinds}] if kinds else [])
    # It is the user's own text, and stays as it was written.
    assert client.get(f"/chat/{session_id}").json()["messages"][0]["content"] == message

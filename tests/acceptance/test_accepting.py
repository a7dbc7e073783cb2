"""When a message is accepted, and that it is accepted once."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable

import httpx

from tests.acceptance.endings import check_endings
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for

TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"


def _post(stack: Stack, body: dict[str, str], key: str, prefer: str = "") -> httpx.Response:
    with stack.client() as client:
        return client.post("/chat/", json=body, headers={"Idempotency-Key": key, "Prefer": prefer})


def test_a_repeated_key_gives_the_same_message(make_stack: Callable[..., Stack], database_url: str) -> None:
    """Without this a client that repeats a request after a lost reply would ask twice."""
    stack = make_stack(database_url).start()
    stack.add_document("zebra.md", TURNIPS)
    body = {"message": QUESTION, "session_id": "once"}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: _post(stack, body, "key-1"), range(6)))
    assert {reply.status_code for reply in replies} == {200}, replies[0].text
    assert len({reply.json()["message_id"] for reply in replies}) == 1
    assert [reply.headers.get("Idempotent-Replayed") for reply in replies].count("true") == 5
    late = _post(stack, body, "key-1", "respond-async")
    assert (late.status_code, late.json()["message_id"]) == (202, replies[0].json()["message_id"])
    with stack.client() as client:
        assert client.get("/chat/once").json()["message_count"] == 2
    other = _post(stack, {**body, "message": "Something else?"}, "key-1")
    assert (other.status_code, other.json()["type"]) == (422, "urn:spanfeed:problem:idempotency_mismatch")
    assert _post(stack, body, "k" * 256).status_code == 400


def test_a_message_is_accepted_without_redis_and_answered_later(make_stack: Callable[..., Stack]) -> None:
    """Without this a Redis that is away for a moment would turn users away, or lose what they wrote."""
    stack = make_stack(SPANFEED_QUEUE_GRACE_SECONDS="1").start()
    stack.add_document("zebra.md", TURNIPS)
    assert stack.ask(QUESTION, "before").status_code == 200
    stack.redis.stop(kill=True)
    reply = stack.ask(QUESTION, "away")
    assert reply.status_code == 202, reply.text
    message_id = reply.json()["message_id"]
    with stack.client() as client:
        assert client.get(f"/chat/away/messages/{message_id}").json()["status"] == "queued"
        assert client.get("/readyz").json()["checks"]["redis"] == "down"
    stack.redis.start()

    def answered() -> bool:
        stack.revive("worker")
        with stack.client() as client:
            return bool(client.get(f"/chat/away/messages/{message_id}").json()["status"] == "completed")

    wait_for(answered, "the answer", 40)
    # The answer is stored before its stage ends.
    wait_for(lambda: stack.events("away")[-1]["event_status"] == "completed", "the end of the last stage")
    check_endings(stack.events("away"))

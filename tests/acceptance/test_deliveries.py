"""The whole way of a webhook: from a chat message to a receiver, by the real processes."""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.parts.webhook_part import WebhookPart

PATH = "/api/v1/subscriptions"
WANTED = ["response_generation", "custom.*", "system.alert"]


def test_an_answer_reaches_a_receiver_and_survives_kills(make_stack: Callable[..., Stack]) -> None:
    """Without this no event would leave the house, or a kill would lose some."""
    receiver, slow = WebhookPart(), WebhookPart()
    slow.delay_seconds = 60
    stack = make_stack(
        SPANFEED_WEBHOOK_ALLOW_HTTP="true",
        SPANFEED_WEBHOOK_PRIVATE_NETWORKS="127.0.0.1",
        SPANFEED_DELIVERY_TIMEOUT_SECONDS="5",
        SPANFEED_ALERT_INTERVAL_SECONDS="0.5",
    )
    stack.spawn("deliver", "spanfeed", "deliver")
    stack.start()
    stack.wait_worker("deliver")
    with stack.client() as client:
        for part in (slow, receiver):
            reply = client.post(PATH, json={"url": part.url, "event_types": WANTED})
            assert reply.status_code == 201, reply.text
        rule = {"name": "busy", "metric": "events", "event_types": ["custom.*"], "above": 15}
        assert client.post("/api/v1/alerts/rules", json=rule).status_code == 201
    stack.ask("What is a zebra?", "s")
    wait_for(lambda: len(receiver.received) >= 2, "the answer's events")
    stack.stop("deliver", signal.SIGKILL)
    with stack.client() as client:
        for number in range(20):
            client.post("/api/v1/events", json={"event_type": "custom.x", "data": {"n": number}})
    stack.spawn("deliver", "spanfeed", "deliver")

    def numbers() -> set[int]:
        data = [came.said["data"]["event_data"] or {} for came in receiver.received]
        return {said["n"] for said in data if "n" in said}

    wait_for(lambda: numbers() == set(range(20)), f"what came meanwhile; its log: {stack.log('deliver')}", 60)
    said = {(came.said["type"], came.said["data"]["event_status"]) for came in receiver.received}
    assert {("response_generation", "started"), ("response_generation", "completed")} <= said
    wait_for(lambda: "system.alert" in {came.said["type"] for came in receiver.received}, "the alert")
    # An ordinary worker takes none of it.
    assert "spanfeed.deliver" not in stack.log("worker").split(" ready.")[1]
    assert stack.ask("And another one?", "s").status_code == 200
    for part in (receiver, slow):
        part.close()

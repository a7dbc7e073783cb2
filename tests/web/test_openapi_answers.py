"""What is really answered is what the OpenAPI document says: of each route a good answer and refusals."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from werkzeug.test import TestResponse

from pipeline.event import Status
from pipeline.store import alerts, conversations, deliveries
from pipeline.store.deliveries import Draft
from tests.parts.redis_part import RedisPart
from tests.web.contract_reader import ContractReader
from tests.web.site import ADMIN_KEY, Site
from web.administrators import Administrators
from web.contract.openapi import routes
from web.contract.operations import OPERATIONS

ANSWER = {
    "sources": [
        {
            "number": 1,
            "title": "Chat",
            "url": None,
            "snippet": "A chat.",
            "path": "chat.md",
            "collection": "docs",
            "start": 0,
            "end": 7,
        }
    ],
    "confidence": 0.5,
    "retriever_type": "extractive-fts5",
    "usage": None,
    "follow_ups": ["And then?"],
    "refused": False,
}
"""An answer as a worker leaves it."""
_RULE = {"name": "lag", "metric": "recorder_lag", "above": 10}


class World(NamedTuple):
    """A site in which there is one of each kind."""

    site: Site
    contract: ContractReader
    session_id: str
    answered: str
    failed: str
    subscription_id: str
    delivery_id: int

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        """A request of an administrator's key."""
        return self.site.ask(method, path, more.pop("key", ADMIN_KEY), **more)

    def made(self, path: str, **body: Any) -> Any:
        """What has been made by a body."""
        reply = self.ask("POST", path, json=body)
        assert reply.status_code in {200, 201}, reply.text
        return reply.json


@pytest.fixture(scope="module")
def world(site: Site) -> World:
    """The world; what a test takes away it makes before."""
    session_id = str(uuid.uuid4())
    answered = site.say(session_id, "How?", user_id="anna")
    conversations.save_answer(site.store, message_id=answered, content="So [1].", answer=ANSWER, confidence=0.5)
    failed = site.say(session_id, "And?", user_id="anna")
    with site.store.write() as connection:
        conversations.fail_message(connection, failed, "failed", "timeout", "So far")
    site.emit(session_id, 2, message_id=failed)
    site.emit(session_id, 1, status=Status.FAILED, message_id=failed)
    assert Administrators(site.settings, site.store).create("ada", "correct horse battery")
    contract = ContractReader(site.get("/api/v1/openapi.json", key=None).json)
    made = World(site, contract, session_id, answered, failed, "", 0)
    one = made.made("/api/v1/subscriptions", url="https://hooks.example.org/spanfeed")["id"]
    now = datetime.datetime.now(datetime.UTC)
    deliveries.queue(site.store, [Draft(one, number, "custom.x", now, b"{}") for number in range(3)], 100)
    deliveries.give_up(site.store, one, "no answer")
    made.made("/api/v1/alerts/rules", **_RULE)
    made.made("/api/v1/alerts/silences", rule="lag", seconds=60)
    alerts.begin(site.store, "lag", "warning", 12.5, 10)
    made.made("/api/v1/event-types", event_type="own.type", texts={"en": "It is so."})
    [delivery_id, *_] = [one.id for one in deliveries.page(site.store, one, 10, None, None)]
    return made._replace(subscription_id=one, delivery_id=delivery_id)


def _deleted(w: World) -> TestResponse:
    other = str(uuid.uuid4())
    w.site.say(other)
    return w.ask("DELETE", f"/chat/{other}")


def _logged_in(w: World) -> TestResponse:
    body = {"name": "ada", "password": "correct horse battery"}
    return w.site.browser().post("/api/v1/login", json=body, headers={"Origin": "http://localhost"})


_SUBSCRIPTION = "/api/v1/subscriptions"
Case = Callable[[World], TestResponse]
GOOD: dict[str, list[Case]] = {
    "chat.conversation": [lambda w: w.ask("GET", f"/chat/{w.session_id}")],
    "chat.delete_conversation": [_deleted],
    "chat.message": [
        lambda w: w.ask("GET", f"/chat/{w.session_id}/messages/{w.answered}"),
        lambda w: w.ask("GET", f"/chat/{w.session_id}/messages/{w.failed}"),
    ],
    "chat.cancel_message": [
        lambda w: w.ask("POST", f"/chat/{w.session_id}/messages/{w.answered}/cancel"),
        lambda w: w.ask("POST", f"/chat/{w.session_id}/messages/{w.site.say(w.session_id)}/cancel"),
    ],
    "feedback.give_feedback": [
        lambda w: w.ask("POST", f"/chat/{w.session_id}/messages/{w.answered}/feedback", json={"rating": "up"}),
        lambda w: w.ask("POST", f"/chat/{w.session_id}/messages/{w.answered}/feedback", json={"rating": 4}),
    ],
    "chat.session_token": [lambda w: w.ask("POST", f"/chat/{w.session_id}/token")],
    "events.session_events": [
        lambda w: w.ask("GET", f"/chat/events/{w.session_id}"),
        lambda w: w.ask("GET", f"/chat/events/{w.session_id}?after=0&epoch=other"),
        lambda w: w.ask("GET", f"/chat/events/{w.session_id}?event_type=agent_*&event_status=failed"),
    ],
    "events.latest_events": [lambda w: w.ask("GET", f"/chat/events/{w.session_id}/latest?count=1")],
    "events.session_snapshot": [lambda w: w.ask("GET", f"/chat/events/{w.session_id}/snapshot")],
    "unified_streams.user_token": [lambda w: w.ask("POST", "/api/v1/events/token", json={"user_id": "anna"})],
    "unified_tests.test_event": [lambda w: w.ask("POST", "/api/v1/events/test-event")],
    "unified_tests.broadcast_test": [lambda w: w.ask("POST", "/api/v1/events/broadcast-test", json={})],
    "unified_tests.stats": [lambda w: w.ask("GET", "/api/v1/events/stats")],
    "custom_events.send_events": [
        lambda w: w.ask("POST", "/api/v1/events", json={"type": "custom.x"}),
        lambda w: w.ask("POST", "/api/v1/events", json=[{"event_type": "custom.x"}, {"event_type": "x"}, {}]),
    ],
    "event_types.list_types": [lambda w: w.ask("GET", "/api/v1/event-types")],
    "event_types.save_type": [lambda w: w.ask("POST", "/api/v1/event-types", json={"event_type": "own.type"})],
    "event_types.remove_type": [
        lambda w: w.ask(
            "DELETE", f"/api/v1/event-types/{w.made('/api/v1/event-types', event_type='own.other')['event_type']}"
        )
    ],
    "subscriptions.create_subscription": [
        lambda w: w.ask("POST", _SUBSCRIPTION, json={"url": "https://hooks.example.org/x", "categories": ["audit"]})
    ],
    "subscriptions.list_subscriptions": [lambda w: w.ask("GET", _SUBSCRIPTION)],
    "subscriptions.show_subscription": [lambda w: w.ask("GET", f"{_SUBSCRIPTION}/{w.subscription_id}")],
    "subscriptions.change_subscription": [
        lambda w: w.ask("PATCH", f"{_SUBSCRIPTION}/{w.subscription_id}", json={"name": "Other"})
    ],
    "subscriptions.remove_subscription": [
        lambda w: w.ask("DELETE", f"{_SUBSCRIPTION}/{w.made(_SUBSCRIPTION, url='https://hooks.example.org/y')['id']}")
    ],
    "subscriptions.rotate_secret": [lambda w: w.ask("POST", f"{_SUBSCRIPTION}/{w.subscription_id}/secret")],
    "subscriptions.send_test": [lambda w: w.ask("POST", f"{_SUBSCRIPTION}/{w.subscription_id}/test")],
    "subscriptions.list_deliveries": [
        lambda w: w.ask("GET", f"{_SUBSCRIPTION}/{w.subscription_id}/deliveries?limit=1")
    ],
    "subscriptions.retry_one": [
        lambda w: w.ask("POST", f"{_SUBSCRIPTION}/{w.subscription_id}/deliveries/{w.delivery_id}/retry")
    ],
    "subscriptions.retry_all": [lambda w: w.ask("POST", f"{_SUBSCRIPTION}/{w.subscription_id}/deliveries/retry")],
    "alerts.list_rules": [lambda w: w.ask("GET", "/api/v1/alerts/rules")],
    "alerts.save_rule": [lambda w: w.ask("POST", "/api/v1/alerts/rules", json=_RULE)],
    "alerts.remove_rule": [
        lambda w: w.ask(
            "DELETE", f"/api/v1/alerts/rules/{w.made('/api/v1/alerts/rules', **_RULE | {'name': 'gone'})['name']}"
        )
    ],
    "alerts.list_alerts": [lambda w: w.ask("GET", "/api/v1/alerts?status=pending")],
    "alerts.list_silences": [lambda w: w.ask("GET", "/api/v1/alerts/silences")],
    "alerts.make_silence": [lambda w: w.ask("POST", "/api/v1/alerts/silences", json={"rule": "x", "seconds": 1})],
    "alerts.end_silence": [
        lambda w: w.ask(
            "DELETE", f"/api/v1/alerts/silences/{w.made('/api/v1/alerts/silences', rule='y', seconds=60)['id']}"
        )
    ],
    "operations.overview": [
        lambda w: w.ask("GET", "/api/v1/operations/overview?range=30d"),
        lambda w: w.ask("GET", "/api/v1/operations/overview?event_status=failed"),
    ],
    "operations.list_events": [lambda w: w.ask("GET", "/api/v1/operations/events?text=said&limit=1")],
    "operations.export_events": [lambda w: w.ask("GET", "/api/v1/operations/events/export")],
    "traces.list_sessions": [lambda w: w.ask("GET", "/api/v1/operations/sessions?limit=1")],
    "traces.list_runs": [lambda w: w.ask("GET", f"/api/v1/operations/sessions/{w.session_id}/runs")],
    "traces.run_trace": [
        lambda w: w.ask("GET", f"/api/v1/operations/runs/{w.answered}"),
        lambda w: w.ask("GET", f"/api/v1/operations/runs/{w.failed}"),
    ],
    "keys.create_key": [lambda w: w.ask("POST", "/api/v1/keys", json={"name": "n", "scopes": ["events:read"]})],
    "keys.list_keys": [lambda w: w.ask("GET", "/api/v1/keys")],
    "keys.rotate_key": [
        lambda w: w.ask("POST", f"/api/v1/keys/{w.made('/api/v1/keys', name='r', scopes=['admin'])['id']}/rotate")
    ],
    "keys.revoke_key": [
        lambda w: w.ask("DELETE", f"/api/v1/keys/{w.made('/api/v1/keys', name='r', scopes=['admin'])['id']}")
    ],
    "login.login": [_logged_in],
    "login.logout": [lambda w: w.ask("POST", "/api/v1/logout")],
    "login.me": [lambda w: w.ask("GET", "/api/v1/me")],
    "page.page": [lambda w: w.ask("GET", "/", key=None)],
    "page.dashboard": [lambda w: w.ask("GET", "/dashboard", key=None)],
    "page.new_session": [lambda w: w.ask("POST", "/page/session")],
    "health.health": [lambda w: w.ask("GET", "/healthz", key=None)],
    "health.ready": [lambda w: w.ask("GET", "/readyz", key=None)],
    "metrics.metrics": [lambda w: w.ask("GET", "/metrics")],
    "contract.openapi": [lambda w: w.ask("GET", "/api/v1/openapi.json", key=None)],
    "contract.asyncapi": [lambda w: w.ask("GET", "/api/v1/asyncapi.json", key=None)],
    "contract.docs": [lambda w: w.ask("GET", "/api/v1/docs", key=None)],
}
NEEDS_A_SERVER = {
    "chat.chat",
    "chat.chat_with_collection",
    "chat.retry_message",
    "stream.session_stream",
    "unified_streams.user_stream",
    "unified_streams.operators_stream",
    "feed.session_feed",
}
"""What is served by more than the app; here it can only be refused."""


def _where(world: World, endpoint: str) -> tuple[str, str]:
    return next((path, method) for path, method, rule in routes(world.site.app) if rule.endpoint == endpoint)


def test_there_is_a_case_for_every_route() -> None:
    """Without this a new route's reply would be described, and nobody would have looked whether rightly."""
    assert set(GOOD) | NEEDS_A_SERVER == set(OPERATIONS)


@pytest.mark.parametrize("endpoint", GOOD)
def test_a_good_answer_is_as_described(world: World, endpoint: str) -> None:
    """Without this a program made from the document would stumble over a field that is missing, or of another kind."""
    path, method = _where(world, endpoint)
    answers = [case(world) for case in GOOD[endpoint]]
    for reply in answers:
        world.contract.check(path, method, reply)
    assert answers[0].status_code < 300, answers[0].text


@pytest.mark.parametrize("endpoint", OPERATIONS)
def test_refusals_are_as_described(world: World, endpoint: str) -> None:
    """Without this a program would not understand why it was refused, since it knows only what is described."""
    path, method = _where(world, endpoint)
    address = re.sub(r"\{\w+\}", "unknown-one", path)
    for more in ({}, {"key": None}, {"key": "wrong"}, {"headers": {"Accept": "image/png"}}, {"json": [1]}):
        reply = world.ask(method.upper(), address, **{"json": {"x": 1}, **more} if method != "get" else more)
        world.contract.check(path, method, reply)


def test_an_outage_is_as_described(world: World, shared_valkey: RedisPart, tmp_path: Path) -> None:
    """Without this a program would take a server without Redis and database for one that has gone wrong."""
    del shared_valkey
    site = Site(tmp_path, "redis://127.0.0.1:1/0", DATABASE_URL=f"sqlite:///{tmp_path}/none/none.db")
    try:
        for path, method, _ in routes(site.app):
            address = re.sub(r"\{\w+\}", "unknown-one", path)
            reply = site.ask(
                method.upper(), address, ADMIN_KEY, **({} if method == "get" else {"json": {"message": "x"}})
            )
            world.contract.check(path, method, reply)
    finally:
        site.close()

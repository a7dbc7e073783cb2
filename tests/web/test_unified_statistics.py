"""Events by which a stream is tried, and the statistics of events and streams, against the log and the store."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from pipeline.bus import Bus
from pipeline.settings import Settings
from pipeline.store import Store
from pipeline.store.models import events
from pipeline.unified import EventRouter, EventSystem, UnifiedEvent
from tests.parts.stack import KEY, Stack
from tests.parts.stream_client import StreamClient
from tests.parts.waiting import wait_for
from tests.web.site import ADMIN_KEY, APP_KEY, Site, assert_problem
from web.keyring import Locksmith

STATS, TEST, BROADCAST = "/api/v1/events/stats", "/api/v1/events/test-event", "/api/v1/events/broadcast-test"
STREAM = "/api/v1/events/stream"
SEEDS_WORDS = {
    "total_connections",
    "your_connections",
    "user_connections",
    "connections_by_user",
    "active_connections",
    "total_events_sent",
    "events_per_second",
    "total_events",
    "events_last_hour",
    "events_last_day",
    "most_common_type",
    "emitted",
    "processed",
    "errors",
    "by_category",
    "by_type",
    "by_priority",
}


def _stats(site: Site) -> dict[str, Any]:
    reply = site.get(STATS, ADMIN_KEY)
    assert reply.status_code == 200, reply.text
    return dict(reply.json or {})


def _counted(store: Store, column: Any) -> dict[str, int]:
    with store.read() as connection:
        rows = connection.execute(select(column, func.count()).group_by(column)).all()
    return {row[0]: row[1] for row in rows}


def test_an_empty_house_counts_zeroes(make_site: Callable[..., Site]) -> None:
    """Without this a page of the second seed would stumble on a quiet day over a word that is not there."""
    site = make_site()
    told = _stats(site)
    assert set(told) >= SEEDS_WORDS
    numbers = {word for word in SEEDS_WORDS if isinstance(told[word], int | float)}
    assert numbers == SEEDS_WORDS - {"connections_by_user", "by_category", "by_type", "by_priority", "most_common_type"}
    assert not any(told[word] for word in numbers), told
    assert not any(told["by_category"].values())
    assert not any(told["by_priority"].values())
    assert (told["by_type"], told["most_common_type"], told["connections_by_user"]) == ({}, None, {})


def test_what_several_processes_emit_is_counted_as_it_is_stored(make_site: Callable[..., Site]) -> None:
    """Without this an operator would see what one process of many has done, and nothing after its restart."""
    site = make_site()
    others = [EventSystem(EventRouter(), site.settings, site.bus, site.store) for _ in range(2)]
    for number, system in enumerate([*others, site.state.events]):
        for name, category in (("document.uploaded", "realtime"), ("auth.login_failure", "security")):
            for _ in range(number + 1):
                assert system.emit_event(UnifiedEvent(category, name, user_id="anna"))  # type: ignore[arg-type]
    before = _stats(site)
    # A security event has its audit entry with it.
    assert (before["emitted"], before["processed"]) == (18, 0)
    site.recorder().run_until_empty()
    told = _stats(site)
    assert (told["emitted"], told["processed"], told["total_events"]) == (18, 18, 18)
    assert {n: c for n, c in told["by_category"].items() if c} == _counted(site.store, events.c.category)
    assert told["by_type"] == _counted(site.store, events.c.event_type)
    assert {n: c for n, c in told["by_priority"].items() if c} == _counted(site.store, events.c.priority)
    assert (told["events_last_hour"], told["events_last_day"], told["events_per_second"]) == (18, 18, 0.3)
    assert told["most_common_type"] in {"document.uploaded", "auth.login_failure", "audit.auth.login_failure"}
    # Each process knows what it has done itself, too, and all tell the same of the whole.
    for number, system in enumerate(others):
        found = system.get_stats()
        assert (found["scope"], found["emitted"]) == ("all", 18)
        assert found["process"]["by_type"]["document.uploaded"] == number + 1
    assert others[0].get_health_status()["database"] is True


def test_without_a_database_a_process_still_knows_itself(shared_settings: tuple[Settings, Bus]) -> None:
    """Without this a program whose database is away could not say anything of its events."""
    system = EventSystem(EventRouter(), *shared_settings)
    assert system.emit_event(UnifiedEvent("realtime", "custom.one"))  # type: ignore[arg-type]
    told = system.get_stats()
    assert (told["scope"], told["emitted"], told["by_type"]) == ("process", 1, {"custom.one": 1})
    health = system.get_health_status()
    assert (health["status"], health["database"]) == ("healthy", False)


@pytest.fixture
def shared_settings(make_site: Callable[..., Site]) -> tuple[Settings, Bus]:
    """Settings with a database that cannot be had, and a bus."""
    site = make_site(DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    return site.settings, site.bus


@pytest.mark.parametrize("way", ["threads", "relay"])
def test_streams_are_counted_wherever_they_are_served(server: Stack, way: str) -> None:
    """Without this an administrator would see no connection that another process serves."""
    user = f"user-{uuid.uuid4().hex[:8]}"

    def told() -> dict[str, Any]:
        reply = httpx.get(server.url + STATS, headers={"Authorization": f"Bearer {KEY}"}, timeout=20)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    before = told()
    sent = before["total_events_sent"]
    with (
        StreamClient(server.url, STREAM, KEY, user_id=user) as one,
        StreamClient(server.url, STREAM, KEY, user_id=user) as two,
        StreamClient(server.url, "/api/v1/events/admin/stream", KEY) as operators,
    ):
        for client in (one, two, operators):
            client.next()
        found = told()
        assert found["connections_by_user"][user] == 2
        assert found["user_connections"] - before["user_connections"] == 2
        assert found["total_connections"] - before["total_connections"] == 3
        assert found["your_connections"] - before["your_connections"] == 1
        reply = httpx.post(server.url + TEST, headers={"X-API-Key": KEY}, json={"user_id": user}, timeout=20)
        assert reply.status_code == 200
        for client in (one, two, operators):
            client.until(lambda message: message.name == "system.status")
        wait_for(lambda: told()["total_events_sent"] >= sent + 3, "the events that were sent")
    wait_for(lambda: user not in told()["connections_by_user"], "the streams' ends")


def test_a_test_event_comes_to_whoever_asked_for_it(server: Stack) -> None:
    """Without this a page could not find out whether its stream works, or would show its test to everybody."""
    user = f"user-{uuid.uuid4().hex[:8]}"
    key = Locksmith(server.settings(), server.store).create("u", ["events:read", "events:write"], "test", user)[0]
    with StreamClient(server.url, STREAM, key) as mine, StreamClient(server.url, STREAM, KEY, user_id="b") as theirs:
        mine.next(), theirs.next()
        for body in (None, {}, {"event_type": "custom.mine", "data": {"n": 1}, "user_id": user}):
            more = {} if body is None else {"json": body}
            reply = httpx.post(server.url + TEST, headers={"X-API-Key": key}, timeout=20, **more)  # type: ignore[arg-type]
            assert reply.status_code == 200, reply.text
            said = reply.json()
            assert (said["message"], said["success"]) == ("Test event triggered successfully", True)
            told = mine.next()
            assert told.json["metadata"]["unified_event_id"] == said["event_id"]
            assert told.name == said["event_type"]
        assert (told.name, told.json["data"]) == ("custom.mine", {"n": 1})
        reply = httpx.post(server.url + BROADCAST, headers={"X-API-Key": KEY}, timeout=20)
        assert reply.json()["message"] == "Broadcast test event triggered successfully"
        for client in (mine, theirs):
            assert client.next().json["metadata"]["unified_event_id"] == reply.json()["event_id"]


def test_what_may_not_be_tried_is_refused(site: Site) -> None:
    """Without this a user could send an event to another one, or frighten operators with an alarm."""
    key = Locksmith(site.settings, site.store).create("u", ["events:read", "events:write"], "test", "anna")[0]
    assert_problem(site.post(TEST, key, json={"user_id": "bert"}), 403, "foreign_user")
    for name in ("auth.login_failure", "system.alert", "no.such.type"):
        assert_problem(site.post(TEST, key, json={"event_type": name}), 403, "insufficient_scope")
    assert_problem(site.post(TEST, key, json={"event_type": "agent_thinking"}), 403, "forged_event")
    assert_problem(site.post(TEST, key, json={"event_type": "a b"}), 422, "invalid_type")
    assert_problem(site.post(TEST, key, json=[]), 422, "not_an_object")
    assert_problem(site.post(TEST, key, json={"data": {"n": "x" * 1_048_576}}), 413)
    assert_problem(site.post(BROADCAST, APP_KEY), 403, "insufficient_scope")
    token = site.state.doors.make_token("some-session", "key:main")
    assert_problem(site.post(TEST, token), 403, "insufficient_scope")


def test_streams_are_opened_so_often_a_minute(make_site: Callable[..., Site]) -> None:
    """Without this a page whose stream breaks at once would keep a server busy for all others."""
    site = make_site(SPANFEED_FEED_OPENINGS_PER_MINUTE="2")
    key = Locksmith(site.settings, site.store).create("u", ["events:read"], "test", "anna")[0]
    # What calls the app here has no socket to stream into, which is found out after everything else.
    assert [site.get(STREAM, key).status_code for _ in range(3)] == [501, 501, 429]
    assert site.get(STREAM, APP_KEY).status_code == 501


@pytest.mark.parametrize("way", ["threads", "relay"])
def test_a_stream_ends_with_its_token(brief: Stack, way: str) -> None:
    """Without this whoever has found a token that has expired could go on reading with it."""
    with brief.client() as client:
        token = client.post("/api/v1/events/token", json={"user_id": "anna"}).json()["token"]
    with StreamClient(brief.url, STREAM, None, token=token) as stream:
        stream.until(lambda message: message.name == "connection.expired")
        with pytest.raises(EOFError):
            stream.next()
    # A token's age is counted in whole seconds.
    again = f"{brief.url}{STREAM}?token={token}"
    wait_for(lambda: httpx.get(again, timeout=20).status_code == 401, "the refusal of the token")

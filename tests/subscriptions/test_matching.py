"""Who is told of what: filters, and audiences that no filter can widen."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from pipeline.store.subscriptions import Subscription
from pipeline.subscriptions.matching import is_wanted

NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)


def subscription(sees: str = "operator", **more: Any) -> Subscription:
    """A subscription that wants everything."""
    fields: dict[str, Any] = {
        "subscription_id": "sub_1",
        "owner": "key:main",
        "key_family": None,
        "name": "All",
        "channel": "webhook",
        "target": "https://example.com/",
        "event_types": [],
        "categories": [],
        "priorities": [],
        "session_id": None,
        "user_id": "anna" if sees == "user" else None,
        "enabled": True,
        "secret_version": 1,
        "since_id": 100,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Subscription(sees=sees, **{**fields, **more})


def event(**more: Any) -> dict[str, Any]:
    """An event of Anna's, as the log has it."""
    fields = {
        "id": 101,
        "event_type": "document.uploaded",
        "category": "realtime",
        "priority": "normal",
        "user_id": "anna",
        "session_id": "s-1",
        "metadata": {"audience": "user"},
    }
    return {**fields, **more}


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"event_types": ["document.*"]}, True),
        ({"event_types": ["order.*", "document.uploaded"]}, True),
        ({"event_types": ["document"]}, False),
        ({"categories": ["realtime"]}, True),
        ({"categories": ["security"]}, False),
        ({"priorities": ["high", "critical"]}, False),
        ({"priorities": ["normal"]}, True),
        ({"session_id": "s-1"}, True),
        ({"session_id": "s-2"}, False),
        ({"user_id": "anna"}, True),
        ({"user_id": "bert"}, False),
        ({"event_types": ["document.*"], "categories": ["security"]}, False),
        ({"since_id": 101}, False),
    ],
    ids=str,
)
def test_filters(filters: dict[str, Any], wanted: bool) -> None:
    """Without this a subscriber would be sent what they did not ask for, or miss what they did."""
    assert is_wanted(subscription(**filters), event()) is wanted


OPERATORS = {"metadata": {"audience": "operator"}, "category": "monitoring"}
STAGE = {"event_type": "agent_thinking", "category": "workflow"}
SEEN = [
    # event, operator, application, anna, bert
    (event(), True, True, True, False),
    (event(user_id=None), True, True, False, False),
    (event(metadata={"audience": "person"}), True, True, True, False),
    (event(metadata={"audience": "everyone"}, user_id=None), True, True, True, True),
    (event(**OPERATORS), True, False, False, False),
    (event(metadata={"audience": "record"}), False, False, False, False),
    (event(metadata={"audience": "a word of later"}), False, False, False, False),
    (event(category="security", metadata={"audience": "person"}), True, False, False, False),
    (event(category="audit", metadata={"audience": "everyone"}), True, False, False, False),
    (event(category="security", metadata={}), True, False, False, False),
    (event(event_type="system.alert", category="monitoring", metadata=None), True, False, False, False),
    (event(event_type="span", category="monitoring", metadata={}), True, False, False, False),
    (event(event_type="agent_thinking", category="workflow", metadata={}), True, True, True, False),
    # A stage's metadata may hold anything.
    (
        event(event_type="agent_thinking", category="workflow", metadata={"audience": "everyone"}),
        True,
        True,
        True,
        False,
    ),
    (event(event_type="span", category="monitoring", metadata={"audience": "everyone"}), True, False, False, False),
]


@pytest.mark.parametrize("who", ["operator", "application", "anna", "bert"])
@pytest.mark.parametrize(
    "row", SEEN, ids=lambda row: f"{row[0]['event_type']} {row[0]['category']} {row[0]['metadata']}"
)
def test_nobody_is_sent_what_they_may_not_see(row: tuple[Any, ...], who: str) -> None:
    """Without this a webhook would be a way around who may see what."""
    place = ["operator", "application", "anna", "bert"].index(who) + 1
    one = subscription(who) if place < 3 else subscription("user", owner=who, user_id=who)
    assert is_wanted(one, row[0]) is row[place]


def test_a_user_sees_their_own_session_whoever_it_names() -> None:
    """Without this a user's events that name nobody could not be subscribed to."""
    one = subscription("user", session_id="s-1")
    assert is_wanted(one, event(user_id=None))
    assert not is_wanted(one, event(user_id=None, metadata={"audience": "operator"}))
    assert not is_wanted(one, event(user_id="bert", metadata={"audience": "person"}))
    assert not is_wanted(one, event(session_id="s-2"))


@pytest.mark.parametrize(
    "metadata",
    [
        {"audience": "operator", "about_delivery": "sub_2"},
        {"audience": "user", "origin": {"event_id": "1", "event_type": "subscription.circuit_opened", "rule": "r"}},
    ],
    ids=str,
)
def test_what_is_told_of_deliveries_is_delivered_to_nobody(metadata: dict[str, Any]) -> None:
    """Without this two failing receivers would keep each other busy for ever."""
    assert not is_wanted(subscription(), event(metadata=metadata))

"""What a client may ask for over its open feed: understood as it was meant, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.store.events import Filters
from tests.web.test_feed_reader import Talk
from web.feed import requests
from web.feed.wish import Wish


@pytest.mark.parametrize(
    ("more", "wish"),
    [
        ({}, Wish("t", None, None, Filters())),
        ({"after": 7, "epoch": "1"}, Wish("t", 7, "1", Filters())),
        ({"after": "7"}, Wish("t", 7, None, Filters())),
        ({"event_type": ["tool_*", "error"]}, Wish("t", None, None, Filters(event_types=("tool_*", "error")))),
        ({"event_type": "error", "event_status": ["failed"]}, Wish("t", None, None, Filters(("error",), ("failed",)))),
        (
            {"category": ["workflow"], "priority": ["high"]},
            Wish("t", None, None, Filters((), (), ("workflow",), ("high",))),
        ),
    ],
)
def test_a_subscription_is_understood(more: dict[str, Any], wish: Wish) -> None:
    """Without this a client would get what it has not asked for."""
    said = json.dumps({"type": "subscribe", "session_id": "t", **more})
    assert requests.read(said) == requests.Subscribe(wish, None)


@pytest.mark.parametrize(
    "more",
    [
        {"session_id": "a..b"},
        {"session_id": 7},
        {"after": -1},
        {"after": True},
        {"after": 1.5},
        {"after": "abc"},
        {"epoch": 1},
        {"token": 1},
        {"event_type": "a b"},
        {"event_type": [1]},
        {"event_type": {}},
        {"event_type": ["x"] * 51},
        {"event_status": ["bogus"]},
        {"category": ["bogus"]},
        {"priority": [9]},
    ],
    ids=str,
)
def test_a_subscription_with_a_mistake_is_refused(more: dict[str, Any]) -> None:
    """Without this a client with a mistake would wait for what never comes."""
    talk = Talk()
    asked = {"type": "subscribe", "session_id": "t", **more}
    talk.say(asked)
    shown = asked["session_id"] if isinstance(asked["session_id"], str) else None
    assert talk.told() == [{"type": "refused", "session_id": shown, "reason": "invalid"}]
    assert not talk.reader.asked

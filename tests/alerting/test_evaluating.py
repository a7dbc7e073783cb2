"""Evaluating: rules fire once when they hold for long enough, are told, are over, and are looked at by one process."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import redis

from pipeline.alerting.evaluating import Evaluator
from pipeline.alerting.rules import AlertRule
from pipeline.store import alerts, retention
from pipeline.store.moments import id_at
from pipeline.unified import UnifiedEvent
from pipeline.unified.event import EventCategory
from tests.parts.waiting import wait_for
from tests.parts.webhook_part import WebhookPart
from tests.store.wires import error, stored, wire
from tests.subscriptions.conftest import Delivering

Make = Callable[..., Delivering]


@pytest.fixture
def watched(delivering: Delivering) -> Evaluator:
    """An evaluator that looks when it is told to."""
    return Evaluator(delivering.settings, delivering.bus, delivering.store, delivering.events)


def rule(delivering: Delivering, metric: str, above: float, name: str = "r", **more: Any) -> None:
    """Stores a rule."""
    made = AlertRule.model_validate({"name": name, "metric": metric, "above": above, **more})
    alerts.save_rule(delivering.store, name, made.model_dump(mode="json"), "test", 100)


def told(delivering: Delivering) -> list[tuple[str, str]]:
    """Rule and state of what was told."""
    return [(event["event_data"]["alert"], event["event_data"]["state"]) for event in delivering.told("system.alert")]


def history(delivering: Delivering) -> list[tuple[str, str]]:
    """Rule and status of all alerts, the oldest first."""
    return [(one.rule, one.status) for one in alerts.page(delivering.store, 100)[::-1]]


_NUMBERS = iter(range(1, 1_000_000))


def now_id() -> int:
    """An id of about now that no other event has."""
    return id_at(datetime.datetime.now(datetime.UTC)) - 5_000_000 + next(_NUMBERS)


def ends(delivering: Delivering, good: int, bad: int, reason: str = "error") -> None:
    """Messages that were completed, and ones that failed."""
    done = {"event_type": "saving_message", "event_status": "completed"}
    wires = [wire(now_id(), message_id=f"m-{n}", **done) for n in range(good)]
    wires += [error(now_id(), f"x-{n}", reason) for n in range(bad)]
    stored(delivering.store, *wires)


def test_an_error_rate_fires_and_is_over(delivering: Delivering, watched: Evaluator) -> None:
    """Without this nobody would be told when answers fail."""
    rule(delivering, "error_rate", 0.25, severity="critical", message="Answers fail")
    watched.look()
    ends(delivering, 9, 3)
    watched.look()
    assert told(delivering) == []
    ends(delivering, 0, 3)
    for _ in range(3):
        watched.look()
    [event] = delivering.told("system.alert")
    assert (event["priority"], event["category"], event["source_system"]) == ("critical", "monitoring", "alerting")
    assert event["metadata"]["audience"] == "operator"
    assert event["user_message"] == "Answers fail: error_rate is 0.4, above 0.25"
    assert {name: event["event_data"][name] for name in ("alert", "state", "value", "threshold", "severity")} == {
        "alert": "r",
        "state": "fired",
        "value": 0.4,
        "threshold": 0.25,
        "severity": "critical",
    }
    ends(delivering, 20, 0)
    watched.look()
    watched.look()
    assert told(delivering) == [("r", "fired"), ("r", "resolved")]
    [one] = alerts.page(delivering.store, 10)
    assert (one.status, one.value, one.told) == (alerts.RESOLVED, 0.4, True)
    assert one.since <= one.fired_at <= one.resolved_at  # type: ignore[operator]


def test_few_endings_and_cancelled_ones_are_no_error_rate(delivering: Delivering, watched: Evaluator) -> None:
    """Without this the first failure of a night, or a user's own wish, would be an alarm."""
    rule(delivering, "error_rate", 0.1)
    ends(delivering, 2, 3)
    ends(delivering, 0, 30, "cancelled")
    watched.look()
    assert history(delivering) == []


def test_old_events_are_not_counted(delivering: Delivering, watched: Evaluator) -> None:
    """Without this an alarm would never be over."""
    rule(delivering, "events", 0, window_seconds=60, event_types=["agent_thinking"])
    stored(delivering.store, wire(now_id() - 120_000_000))
    watched.look()
    assert history(delivering) == []
    stored(delivering.store, wire(now_id()))
    watched.look()
    assert history(delivering) == [("r", "firing")]


def test_a_slow_stage(delivering: Delivering, watched: Evaluator) -> None:
    """Without this answers could become slow without anybody knowing."""
    rule(delivering, "stage_p95_ms", 500, stage="agent_thinking")
    rule(delivering, "stage_p95_ms", 500, name="other", stage="saving_message")
    slow = {"event_status": "completed", "processing_time_ms": 900}
    stored(delivering.store, *(wire(now_id(), **slow) for _ in range(3)))
    watched.look()
    assert told(delivering) == [("r", "fired")]


def test_stuck_runs_and_a_recorder_that_is_behind(delivering: Delivering, watched: Evaluator) -> None:
    """Without this a chat that stands still would look like a quiet one."""
    rule(delivering, "stuck_runs", 0, name="stuck", age_seconds=60)
    rule(delivering, "recorder_lag", 3, name="lag")
    watched.look()
    assert history(delivering) == []
    now_us = id_at(datetime.datetime.now(datetime.UTC))
    with redis.Redis.from_url(delivering.settings.redis_url) as client:
        client.zadd("sf:{0}:due", {"m-1": now_us - 30_000_000})
        watched.look()
        assert history(delivering) == []
        client.zadd("sf:{0}:due", {"m-1": now_us - 90_000_000})
        for _ in range(4):
            delivering.events.emit_event(UnifiedEvent(EventCategory.REALTIME, "order.made"))
        watched.look()
        assert sorted(history(delivering)) == [("lag", "firing"), ("stuck", "firing")]
        client.delete("sf:{0}:due")
    watched.look()
    assert ("stuck", "resolved") in told(delivering)


def test_it_must_hold_for_a_while(delivering: Delivering, watched: Evaluator) -> None:
    """Without this every short peak would wake somebody."""
    rule(delivering, "events", 0, for_seconds=3_600, event_types=["agent_thinking"])
    stored(delivering.store, wire(now_id()))
    watched.look()
    watched.look()
    assert (history(delivering), told(delivering)) == ([("r", "pending")], [])
    with delivering.store.write() as connection:
        connection.exec_driver_sql("UPDATE alerts SET since = '2026-01-01 00:00:00.000000'")
    watched.look()
    assert (history(delivering), told(delivering)) == ([("r", "firing")], [("r", "fired")])


def test_a_peak_leaves_nothing_behind(delivering: Delivering, watched: Evaluator) -> None:
    """Without this the history would be full of what was no alert."""
    rule(delivering, "events", 0, for_seconds=3_600, event_types=["agent_thinking"])
    stored(delivering.store, wire(now_id()))
    watched.look()
    with delivering.store.write() as connection:
        connection.exec_driver_sql("DELETE FROM events")
    watched.look()
    assert (history(delivering), told(delivering)) == ([], [])


def test_a_silence_is_kept_and_ends(delivering: Delivering, watched: Evaluator) -> None:
    """Without this planned work would wake somebody, or an alarm be forgotten behind it."""
    rule(delivering, "events", 0, name="busy-a", event_types=["agent_thinking"])
    rule(delivering, "events", 0, name="other", event_types=["agent_thinking"])
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    number = alerts.silence(delivering.store, "busy-*", until, "work", "test", 10)
    assert number is not None
    stored(delivering.store, wire(now_id()))
    watched.look()
    assert told(delivering) == [("other", "fired")]
    assert ("busy-a", "firing") in history(delivering)
    assert alerts.end_silence(delivering.store, number)
    watched.look()
    assert told(delivering) == [("other", "fired"), ("busy-a", "fired")]


def test_what_was_never_told_is_over_in_silence(delivering: Delivering, watched: Evaluator) -> None:
    """Without this somebody would be told that an alarm is over that they never had."""
    rule(delivering, "events", 0, event_types=["agent_thinking"])
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    alerts.silence(delivering.store, "r", until, "", "test", 10)
    stored(delivering.store, wire(now_id()))
    watched.look()
    alerts.remove_rule(delivering.store, "r")
    watched.look()
    assert (history(delivering), told(delivering)) == ([("r", "resolved")], [])


def test_a_rule_that_is_removed_is_over(delivering: Delivering, watched: Evaluator) -> None:
    """Without this an alert would stand for ever whose rule is gone."""
    rule(delivering, "events", 0, event_types=["agent_thinking"])
    stored(delivering.store, wire(now_id()))
    watched.look()
    alerts.remove_rule(delivering.store, "r")
    watched.look()
    assert told(delivering) == [("r", "fired"), ("r", "resolved")]


def test_alerts_do_not_count_themselves(delivering: Delivering, watched: Evaluator) -> None:
    """Without this a rule on alerts would keep itself alive for ever."""
    rule(delivering, "events", 0, event_types=["system.alert"], window_seconds=3_600)
    alert = {"event_type": "system.alert", "category": "monitoring", "event_status": None}
    stored(delivering.store, wire(now_id(), **alert, source_system="alerting"))
    watched.look()
    assert history(delivering) == []
    stored(delivering.store, wire(now_id(), **alert, source_system="monitoring"))
    watched.look()
    assert history(delivering) == [("r", "firing")]


def test_one_evaluator_looks_and_another_takes_over(delivering: Delivering, watched: Evaluator) -> None:
    """Without this every process would tell every alert, or nobody would after one has died."""
    other = Evaluator(delivering.settings, delivering.bus, delivering.store, delivering.events)
    rule(delivering, "events", 0, event_types=["agent_thinking"])
    assert watched.look()
    assert not other.look()
    stored(delivering.store, wire(now_id()))
    assert not other.look()
    assert told(delivering) == []
    with delivering.store.write() as connection:
        connection.exec_driver_sql("UPDATE leases SET until = '2026-01-01 00:00:00.000000'")
    assert other.look()
    assert told(delivering) == [("r", "fired")]
    assert not watched.look()
    assert told(delivering) == [("r", "fired")]


def test_it_looks_by_itself_and_lets_go(make: Make) -> None:
    """Without this a restart would leave alerts unwatched until the lease runs out."""
    delivering = make(SPANFEED_ALERT_INTERVAL_SECONDS="0.1")
    rule(delivering, "events", 0, event_types=["agent_thinking"])
    stored(delivering.store, wire(now_id()))
    running = Evaluator(delivering.settings, delivering.bus, delivering.store, delivering.events)
    running.start()
    wait_for(lambda: told(delivering) == [("r", "fired")], "the alert")
    running.stop()
    assert Evaluator(delivering.settings, delivering.bus, delivering.store, delivering.events).look()


def test_a_subscription_carries_alerts(delivering: Delivering, watched: Evaluator, receiver: WebhookPart) -> None:
    """Without this an alarm would reach only who looks at the screen."""
    delivering.subscribe(receiver.url, event_types=["system.alert"])
    users = delivering.subscribe(receiver.url, event_types=["system.alert"], sees="application", owner="key:app")
    rule(delivering, "events", 0, event_types=["agent_thinking"])
    stored(delivering.store, wire(now_id()))
    watched.look()
    delivering.run()
    [came] = receiver.received
    assert (came.said["type"], came.said["data"]["event_data"]["state"]) == ("system.alert", "fired")
    assert delivering.log(users) == []


def test_the_history_is_cleaned(make: Make) -> None:
    """Without this the history would grow for ever, or lose what still fires."""
    delivering = make(SPANFEED_RETENTION_ALERTS_HOURS="1")
    first = alerts.begin(delivering.store, "old", "info", 2, 1)
    alerts.begin(delivering.store, "standing", "info", 2, 1)
    long_ago = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    alerts.change(delivering.store, first.id, status=alerts.RESOLVED, resolved_at=long_ago)
    retention.apply_retention(delivering.store, delivering.settings)
    assert history(delivering) == [("standing", "pending")]

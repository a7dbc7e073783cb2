"""Subscriptions, deliveries, alerts and leases in both databases: kept once, taken by one, found again."""

from __future__ import annotations

import datetime
import threading
from typing import Any

import pytest

from pipeline.store import Store, alerts, deliveries, leases, subscriptions
from pipeline.store.deliveries import Attempt, Draft
from pipeline.store.subscriptions import Subscription

NOW = datetime.datetime.now(datetime.UTC)
ONE = "sub_1"


def subscribe(store: Store, subscription_id: str = ONE, **more: Any) -> Subscription:
    """Keeps a subscription."""
    fields: dict[str, Any] = {
        "subscription_id": subscription_id,
        "owner": "key:main",
        "sees": "operator",
        "key_family": None,
        "name": "Orders",
        "channel": "webhook",
        "target": "https://example.com/",
        "event_types": ["order.*"],
        "categories": ["realtime"],
        "priorities": [],
        "session_id": None,
        "user_id": None,
        "enabled": True,
        "secret_version": 1,
        "since_id": 7,
        "created_at": NOW,
        "updated_at": NOW,
    }
    made = Subscription(**{**fields, **more})
    assert subscriptions.add(store, made, 100, 100)
    return made


def draft(event_id: int, subscription_id: str = ONE, late_seconds: float = 1) -> Draft:
    """An event that is due since so long."""
    due_at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=late_seconds)
    return Draft(subscription_id, event_id, "order.made", due_at, b"{}")


def test_a_subscription_is_found_as_it_was_made(store: Store) -> None:
    """Without this a restart would change what somebody is told of."""
    made = subscribe(store)
    assert subscriptions.find(store, ONE) == made
    assert (
        subscriptions.listed(store) == subscriptions.listed(store, "key:main") == subscriptions.living(store) == [made]
    )
    assert subscriptions.listed(store, "key:other") == []
    assert not subscriptions.add(store, made, 1, 100)
    assert not subscriptions.add(store, made, 100, 1)
    assert subscriptions.change(store, ONE, enabled=False, event_types=[])
    found = subscriptions.find(store, ONE)
    assert found is not None
    assert (found.enabled, found.event_types, found.categories) == (False, [], ["realtime"])
    assert subscriptions.living(store) == []
    assert not subscriptions.change(store, "sub_2", enabled=True)


def test_an_event_is_kept_once_for_a_subscription(store: Store) -> None:
    """Without this a reader that reads again would deliver again, or one subscriber would take from another."""
    subscribe(store)
    subscribe(store, "sub_2")
    assert deliveries.queue(store, [draft(1), draft(2), draft(1, "sub_2"), draft(1, "sub_gone")], 100) == 3
    assert deliveries.queue(store, [draft(2), draft(3)], 100) == 1
    assert [row.event_id for row in deliveries.page(store, ONE, 10)] == [3, 2, 1]
    assert subscriptions.remove(store, ONE)
    assert deliveries.page(store, ONE, 10) == []
    assert len(deliveries.page(store, "sub_2", 10)) == 1


def test_one_is_sent_for_what_is_due_and_one_takes_it(store: Store) -> None:
    """Without this two workers would deliver the same, or nobody would after one was killed."""
    subscribe(store)
    deliveries.queue(store, [draft(1), draft(2, late_seconds=-3_600)], 100)
    assert deliveries.due(store, 10, 60) == [ONE]
    assert deliveries.due(store, 10, 60) == []
    assert deliveries.take(store, ONE, "a", 60)
    assert not deliveries.take(store, ONE, "b", 60)
    assert deliveries.due(store, 10, 60) == []
    deliveries.give_back(store, ONE, "b")
    assert not deliveries.take(store, ONE, "b", 60)
    deliveries.give_back(store, ONE, "a")
    assert deliveries.due(store, 10, 0) == [ONE]
    assert deliveries.take(store, ONE, "b", 0)
    assert deliveries.take(store, ONE, "c", 60), "a lease that ran out must be taken"


def test_attempts_are_noted(store: Store) -> None:
    """Without this nobody could say what became of an event."""
    subscribe(store)
    deliveries.queue(store, [draft(n) for n in (1, 2, 3)], 100)
    one, two, three = deliveries.waiting(store, ONE, 10)
    assert deliveries.take(store, ONE, "a", 60)
    later = NOW + datetime.timedelta(hours=1)
    made = [
        (one.id, Attempt("delivered", 1, None, 200, 12)),
        (two.id, Attempt("pending", 1, later, 500, 13, "it answered 500")),
        (three.id, Attempt("dead", 9, None, None, 14, "x" * 300)),
    ]
    deliveries.settle(store, ONE, made, 4, later, 60)
    found = {row.event_id: row for row in deliveries.page(store, ONE, 10)}
    assert [(found[n].status, found[n].attempts, found[n].http_status) for n in (1, 2, 3)] == [
        ("delivered", 1, 200),
        ("pending", 1, 500),
        ("dead", 9, None),
    ]
    assert found[2].due_at == later
    assert len(found[3].error or "") == 200
    sub = subscriptions.find(store, ONE)
    assert sub is not None
    assert (sub.failures, sub.open_until) == (4, later)
    assert deliveries.counts(store, [ONE]) == {ONE: {"pending": 1, "delivered": 1, "dead": 1}}
    assert [row.event_id for row in deliveries.page(store, ONE, 10, status="dead")] == [3]
    assert [row.event_id for row in deliveries.page(store, ONE, 10, before=found[3].id)] == [2, 1]
    assert deliveries.again(store, ONE) == 1
    assert [(work.event_id, work.attempts, work.payload) for work in deliveries.waiting(store, ONE, 10)] == [
        (3, 0, b"{}")
    ]
    assert deliveries.give_up(store, ONE, "no more") == 2
    assert deliveries.forget_before(store, NOW + datetime.timedelta(hours=1)) == 3


def test_readers_beside_each_other_keep_everything_once(store: Store) -> None:
    """Without this two processes that deliver would disturb each other."""
    subscribe(store)
    found: list[int] = []

    def keep(first: int) -> None:
        pairs = ([draft(n), draft(n + 1)] for n in range(first, first + 20))
        found.extend(deliveries.queue(store, pair, 1_000) for pair in pairs)

    threads = [threading.Thread(target=keep, args=[first]) for first in (0, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == len(deliveries.page(store, ONE, 1_000)) == 31


def test_a_lease_has_one_holder(store: Store) -> None:
    """Without this two processes would tell every alert."""
    assert leases.take(store, "alerts", "a", 60)
    assert leases.take(store, "alerts", "a", 60)
    assert not leases.take(store, "alerts", "b", 60)
    leases.give_back(store, "alerts", "b")
    assert not leases.take(store, "alerts", "b", 60)
    leases.give_back(store, "alerts", "a")
    assert leases.take(store, "alerts", "b", 0)
    assert leases.take(store, "alerts", "c", 60)


def test_alerts_and_silences_are_kept(store: Store) -> None:
    """Without this a restart would forget what fires."""
    definition = {"name": "r", "above": 1.5}
    assert alerts.save_rule(store, "r", definition, "me", 1) is True
    assert alerts.save_rule(store, "r", {**definition, "above": 2}, "me", 1) is False
    assert alerts.save_rule(store, "s", definition, "me", 1) is None
    [rule] = alerts.rules(store)
    assert (rule.name, rule.definition["above"], rule.made_by) == ("r", 2, "me")
    made = alerts.begin(store, "r", "error", 2.5, 1.5)
    assert alerts.standing(store) == {"r": made}
    alerts.change(store, made.id, status=alerts.RESOLVED, resolved_at=NOW)
    assert alerts.standing(store) == {}
    [one] = alerts.page(store, 5)
    assert (one.value, one.threshold, one.resolved_at) == (2.5, 1.5, NOW)
    later = NOW + datetime.timedelta(hours=1)
    number = alerts.silence(store, "r", later, "work", "me", 1)
    assert number is not None
    assert alerts.silence(store, "r", later, "work", "me", 1) is None
    assert [silence.until for silence in alerts.silences(store)] == [later]
    assert alerts.end_silence(store, number)
    assert not alerts.end_silence(store, number)
    assert alerts.remove_rule(store, "r")
    assert not alerts.remove_rule(store, "r")


@pytest.mark.parametrize("text", ["Bücher 📚", "x" * 100])
def test_names_of_all_kinds(store: Store, text: str) -> None:
    """Without this a name could not be in one's own language."""
    assert subscribe(store, name=text).name == text == subscriptions.listed(store)[0].name

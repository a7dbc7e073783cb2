"""Idempotency keys, and finding what has no ending: a repeated request makes no second message, and none is lost."""

from __future__ import annotations

import dataclasses
import datetime
import threading

import pytest

from pipeline import settings as settings_table
from pipeline.errors import IdempotencyMismatch
from pipeline.store import Store, idempotency, retention
from pipeline.store import conversations as talk
from pipeline.store.events import message_events
from pipeline.store.idempotency import IdempotencyKey
from tests.store.test_conversations import answer, ask, fail, told
from tests.store.wires import NOW, stored, wire

KEY = IdempotencyKey("key-1", "k" * 255, "f" * 64)


def test_a_repeated_request_is_the_same_message(store: Store) -> None:
    """A client that lost the reply and asks again would be answered twice."""
    assert ask(store, "m-1", key=KEY) is None
    assert ask(store, "m-2", "s-2", key=KEY) == ("s-1", "m-1")
    assert (len(told(store)), talk.find_session(store, "s-2")) == (1, None)


def test_one_key_for_two_requests_is_refused(store: Store) -> None:
    """The second question would be given the first one's answer."""
    ask(store, "m-1", key=KEY)
    with pytest.raises(IdempotencyMismatch):
        ask(store, "m-2", key=dataclasses.replace(KEY, fingerprint="0" * 64))
    assert [row[0] for row in told(store)] == ["m-1"]


def test_a_key_is_its_principals_own(store: Store) -> None:
    """One user could read another's conversation by guessing a key."""
    ask(store, "m-1", key=KEY)
    assert ask(store, "m-2", "s-2", key=dataclasses.replace(KEY, principal="key-2")) is None
    assert ask(store, "m-3", "s-2", key=dataclasses.replace(KEY, key="other")) is None
    assert len(told(store, "s-2")) == 2
    assert ask(store, "m-4", "s-2", key=dataclasses.replace(KEY, principal="key-2")) == ("s-2", "m-2")


def test_requests_at_the_same_moment_make_one_message(store: Store) -> None:
    """A double click would ask twice."""
    go = threading.Barrier(4)
    replies: list[tuple[str, str] | None] = []
    faults: list[Exception] = []

    def send(number: int) -> None:
        go.wait(10)
        try:
            replies.append(ask(store, f"m-{number}", key=KEY))
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    ((message_id, *_),) = told(store)
    assert (faults, replies.count(None), replies.count(("s-1", message_id))) == ([], 1, 3)


def test_keys_are_forgotten_in_time(store: Store) -> None:
    """The table of keys would grow for ever; or a repeat be taken for a new question too early."""
    ask(store, "m-1", key=KEY)
    now = datetime.datetime.now(datetime.UTC)
    assert idempotency.forget_before(store, now - datetime.timedelta(minutes=1)) == 0
    retention.apply_retention(store, settings_table.load({}))
    assert ask(store, "m-2", key=KEY) == ("s-1", "m-1")
    retention.apply_retention(store, settings_table.load({"SPANFEED_RETENTION_IDEMPOTENCY_HOURS": "0"}), dry_run=True)
    assert ask(store, "m-2", key=KEY) == ("s-1", "m-1")
    retention.apply_retention(store, settings_table.load({"SPANFEED_RETENTION_IDEMPOTENCY_HOURS": "0"}))
    assert ask(store, "m-2", key=KEY) is None


def test_messages_that_were_never_sent_are_found(store: Store) -> None:
    """A question accepted while Redis was away would never be answered."""
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    for number in range(5):
        ask(store, f"m-{number}", f"s-{number}")
    answer(store, "m-1")
    fail(store, "m-2")
    after = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    assert talk.accepted_before(store, before, 10) == []
    assert [m.message_id for m in talk.accepted_before(store, after, 10)] == ["m-0", "m-3", "m-4"]
    assert [m.message_id for m in talk.accepted_before(store, after, 2)] == ["m-0", "m-3"]


def test_what_a_message_has_told_is_found(store: Store) -> None:
    """After Redis was lost, stages that had begun would be shown as running for ever."""
    stored(
        store,
        wire(NOW, message_id="m-1"),
        wire(NOW + 1, message_id="m-2"),
        wire(NOW + 2, message_id="m-1", seq=None),
        wire(NOW + 3, message_id="m-1", event_status="completed"),
    )
    assert [event.id - NOW for event in message_events(store, "m-1", 10)] == [0, 3]
    assert [event.id - NOW for event in message_events(store, "m-1", 1)] == [0]
    assert message_events(store, "m-3", 10) == []

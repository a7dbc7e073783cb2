"""Recording: every event once, whatever comes twice, late or together, and failed runs in the conversation."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select, text

from pipeline.store import Store
from pipeline.store import conversations as talk
from pipeline.store import events as stored_events
from pipeline.store.models import event_minutes, events
from pipeline.store.recording import record
from pipeline.store.rows import row_of
from tests.parts.waiting import wait_for
from tests.store.test_conversations import answer, ask, told
from tests.store.wires import NOW, entries, error, stored, wire


def count(store: Store) -> int:
    """How many events are stored."""
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(events)).scalar_one())


def counted(store: Store) -> int:
    """How many events the minutes count."""
    with store.read() as connection:
        return int(connection.execute(select(func.sum(event_minutes.c.events))).scalar() or 0)


def test_every_event_is_stored_once(store: Store) -> None:
    """A recorder that was killed before it could say so would store a batch twice."""
    batch = [wire(NOW + n, seq=n + 1) for n in range(5)]
    for part in (batch[:3], batch, batch[1:2], batch[::-1]):
        recorded = stored(store, *part)
        assert recorded.buried == 0
    assert (count(store), counted(store)) == (5, 5)
    assert [e.seq for e in stored_events.session_events(store, "s-1", 0, 10)] == [1, 2, 3, 4, 5]


def test_the_same_event_twice_in_one_batch_is_one(store: Store) -> None:
    """An entry written to the log again would be counted twice by the dashboard."""
    body = wire(NOW, processing_time_ms=7)
    recorded = record(store, [("1-0", body), ("2-0", body), ("3-0", wire(NOW + 1))], lambda _: "")
    assert recorded.buried == 0
    assert (count(store), counted(store)) == (2, 2)


def test_out_of_order_is_no_matter(store: Store) -> None:
    """Entries taken over from a dead recorder would be lost, being older than what is stored."""
    stored(store, wire(NOW + 10, seq=2))
    stored(store, wire(NOW, seq=1))
    assert [e.seq for e in stored_events.session_events(store, "s-1", 0, 10)] == [1, 2]
    assert stored_events.newest_id(store) == NOW + 10


def test_an_empty_batch_is_nothing(store: Store) -> None:
    """A quiet hour would end the recorder."""
    assert stored(store).rows == []
    assert (count(store), stored_events.newest_id(store)) == (0, 0)


def test_a_batch_is_told_as_it_was_stored(store: Store) -> None:
    """Traces would be exported for events that nobody can look up."""
    recorded = stored(store, wire(NOW), b"broken", wire(NOW + 1, user_message="ünï"))
    assert [(row.id, row.session_id) for row in recorded.rows] == [(NOW, "s-1"), (NOW + 1, "s-1")]
    assert recorded.buried == 1


def test_two_recorders_with_the_same_events_count_them_once(store: Store) -> None:
    """A recorder that slept while its events were taken over would double the dashboard's figures."""
    batch = entries([wire(NOW + n) for n in range(20)])
    go = threading.Barrier(2)
    faults: list[Exception] = []

    def run() -> None:
        go.wait(10)
        try:
            record(store, batch, lambda _: "")
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (faults, count(store), counted(store)) == ([], 20, 20)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_recorder_that_meets_another_in_the_middle_counts_nothing_twice(store: Store) -> None:
    """The same, at the narrowest moment: the other's transaction is open, its rows cannot be seen yet."""
    batch = entries([wire(NOW + n) for n in range(3)])
    second = threading.Thread(target=record, args=(store, batch, lambda _: ""))
    with store.write() as connection:
        stored_events.insert_rows(connection, [row_of(body or b"") for _, body in batch])
        second.start()

        def blocked() -> bool:
            with store.read() as other:
                waiting = other.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one()
            return bool(waiting)

        wait_for(blocked, "the second recorder's wait")
    second.join(30)
    assert (count(store), counted(store)) == (3, 3)


ENDINGS = {"error": "failed", "timeout": "failed", "worker_lost": "failed", None: "failed", "cancelled": "cancelled"}


def test_a_failed_run_marks_its_message(store: Store) -> None:
    """A reloaded page would show a question that is answered for ever."""
    for number, (reason, status) in enumerate(ENDINGS.items()):
        message_id, session_id, at = f"m-{number}", f"s-{number}", NOW + 10 * number
        ask(store, message_id, session_id)
        for _ in range(2):
            stored(store, wire(at), error(at + 1, message_id, reason), said="Beca")
        assert told(store, session_id) == [
            (message_id, "user", status, "Why?"),
            (message_id, "assistant", status, "Beca"),
        ]
        asked, said = talk.conversation(store, session_id)
        assert (asked.reason, said.reason, said.partial) == (reason or "error", reason or "error", True)


def test_only_the_runs_own_error_marks_a_message(store: Store) -> None:
    """One collection that could not be searched would fail the whole question."""
    ask(store, "m-1")
    stored(
        store,
        wire(NOW, event_type="tool_search_documents", event_status="failed"),
        wire(NOW + 1, event_type="error", event_status="progress"),
        wire(NOW + 2, event_type="error", event_status="failed", message_id=None),
        error(NOW + 3, "another"),
    )
    assert [row[2] for row in told(store)] == ["accepted"]
    answer(store, "m-1")
    stored(store, error(NOW + 4, "m-1"))
    assert [row[2] for row in told(store)] == ["completed", "completed"]


def test_what_had_been_said_is_asked_for_the_failed_message_only(store: Store) -> None:
    """Another user's words would stand under a failed question."""
    for n in (1, 2):
        ask(store, f"m-{n}")
    asked: list[str] = []

    def said(message_id: str) -> str:
        asked.append(message_id)
        return f"said of {message_id}"

    record(store, entries([wire(NOW, message_id="m-1"), error(NOW + 1, "m-2")]), said)
    assert asked == ["m-2"]
    assert told(store)[-1] == ("m-2", "assistant", "failed", "said of m-2")


def test_a_batch_as_large_as_they_come(store: Store) -> None:
    """A burst of 3,000 events would be stored in part."""
    burst = [wire(NOW + n, seq=n + 1, event_data={"n": n}) for n in range(3_000)]
    for start in range(0, 3_000, 1_000):
        stored(store, *burst[start : start + 1_000])
    read: list[int | None] = []
    after = 0
    while page := stored_events.session_events(store, "s-1", after, 500):
        read += [event.seq for event in page]
        after = page[-1].id
    assert read == list(range(1, 3_001))

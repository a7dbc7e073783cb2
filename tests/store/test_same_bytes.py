"""From the bus into the record and back: the same ids, the same bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from pipeline.event import Category, Identity, Priority, State, Status
from pipeline.store import Store
from pipeline.store import events as stored_events
from pipeline.store.recording import Recorded, record
from tests.parts.redis_part import RedisPart
from tests.pipeline.driven import NEWEST, DrivenRun, kept

FULL = Identity(
    "custom.thing",
    Category.AUDIT,
    Priority.CRITICAL,
    session_id="s-1",
    message_id="m-1",
    user_id="u-1",
    correlation_id="c-1",
    trace_id="0" * 31 + "1",
    span_id="0" * 15 + "1",
    parent_span_id="2" * 16,
)
NUMBERS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)


@pytest.fixture
def valkey_bus(valkey: RedisPart, tmp_path: Path) -> Iterator[Bus]:
    """A bus on Valkey."""
    environment = {"REDIS_URL": valkey.url, "SPANFEED_EMIT_DEADLINE_MS": "5000", "SPANFEED_HOME": str(tmp_path)}
    opened = open_bus(settings_table.load(environment))
    yield opened
    opened.close_connections()


def move(bus: Bus, store: Store) -> Recorded:
    """Records what is new in the log."""
    batch = bus.log.read_new("test", 10_000, 0)
    recorded = record(store, [(entry.entry_id, entry.wire) for entry in batch], lambda _: "")
    bus.log.acknowledge(batch)
    return recorded


def same(bus: Bus, store: Store, session_id: str = "s-1") -> int:
    """Compares stream and record, byte by byte; gives how many events there are."""
    live = kept(bus, session_id)
    recorded = stored_events.session_events(store, session_id, 0, 10_000)
    assert [event.wire for event in recorded] == [event.wire for event in live]
    assert recorded == live
    return len(live)


def test_a_run_is_read_back_byte_for_byte(valkey_bus: Bus, store: Store) -> None:
    """A page that reconnects after an hour would see other events than the one that stayed."""
    run = DrivenRun(valkey_bus, user_id="u-1")
    run.submit()
    run.stage("receive", "R", to="search")
    run.begin("search", "S(a)", "S(b)")
    run.progress("S(a)", count=3)
    run.release("search")
    run.begin("search", "S(a)", "S(b)")
    run.close("S(a)")
    run.fail("search", reason="timeout")
    assert move(valkey_bus, store).buried == 0
    assert same(valkey_bus, store) == 10


STATES = [
    State(Status.STARTED),
    State(None, "", {}, {}),
    State(Status.PROGRESS, 'ünï 📄\n\t"\\/', {"z": 1, "a": [None, True, -0.0, 1e300, 2**63 - 1, {}]}, {"k": {"x": []}}),
    State(Status.FAILED, "x" * 600, {"n": 0.1}, None, "worker_lost", "SomeError", "task-1"),
    State(Status.COMPLETED, "é\u2028\u2029\U0001f600", {"text": "a\x00b\u202ec\x1b"}),
]


def test_any_event_is_read_back_byte_for_byte(valkey_bus: Bus, store: Store) -> None:
    """Numbers, accents or the order of keys would change on the way through the database."""
    bare = dataclasses.replace(FULL, user_id=None, correlation_id=None, parent_span_id=None)
    for number, state in enumerate(STATES):
        valkey_bus.append(FULL, state, f"full {number}", took_ms=12)
        valkey_bus.append(bare, state, f"bare {number}")
    assert move(valkey_bus, store).buried == 0
    assert same(valkey_bus, store) == 2 * len(STATES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=30),
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.none() | NUMBERS | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    ),
)
def test_whatever_an_emitter_says_is_kept_as_it_was_announced(
    valkey_bus: Bus, store: Store, message: str, data: dict[str, Any]
) -> None:
    """Some odd text or number would be lost in one place and shown in another."""
    newest = valkey_bus.clock()[1]
    valkey_bus.append(FULL, State(Status.PROGRESS, message, data), f"after-{newest}")
    assert move(valkey_bus, store).buried == 0
    live = valkey_bus.session_events("s-1", newest, NEWEST, 10)
    assert [e.wire for e in stored_events.session_events(store, "s-1", newest, 10)] == [e.wire for e in live]
    assert len(live) == 1


LONG = "x" * 1_000


OVER_LONG = {
    "user_message": (FULL, State(Status.FAILED, LONG)),
    "user_id, message_id": (dataclasses.replace(FULL, user_id=LONG, message_id=LONG), State(Status.FAILED)),
    "correlation_id": (dataclasses.replace(FULL, correlation_id=LONG), State(Status.FAILED)),
    "source_system": (dataclasses.replace(FULL, source_system=LONG), State(Status.FAILED)),
    "reason": (FULL, State(Status.FAILED, reason=LONG)),
    "error_type": (FULL, State(Status.FAILED, error_type=LONG)),
    "task_id": (FULL, State(Status.FAILED, task_id=LONG)),
}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_over_long_text_is_cut_never_dropped(valkey_bus: Bus, store: Store) -> None:
    """An error with a long name would be announced and then be missing from the record."""
    dropped = []
    for name, (identity, state) in OVER_LONG.items():
        valkey_bus.append(identity, state, name)
        if move(valkey_bus, store).buried:
            dropped.append(name)
    assert dropped == []
    assert same(valkey_bus, store) == len(OVER_LONG)


def test_a_log_that_is_read_twice_is_stored_once(valkey_bus: Bus, store: Store) -> None:
    """A recorder that was killed before it could say so would double the history."""
    for n in range(20):
        valkey_bus.append(FULL, State(Status.PROGRESS, str(n)), str(n))
    batch = valkey_bus.log.read_new("dead", 15, 0)
    record(store, [(e.entry_id, e.wire) for e in batch], lambda _: "")
    again = valkey_bus.log.claim("alive", 0, 100)
    record(store, [(e.entry_id, e.wire) for e in again], lambda _: "")
    valkey_bus.log.acknowledge(again)
    move(valkey_bus, store)
    assert same(valkey_bus, store) == 20
    valkey_bus.log.trim()
    assert stored_events.statistics(store)["total"] == 20

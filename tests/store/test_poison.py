"""Entries that cannot be stored: they go to the dead letters, each with its reason, and hold nobody up."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from pipeline.store import Store
from pipeline.store import events as stored_events
from pipeline.store.models import dead_letters
from pipeline.store.recording import record
from tests.store.wires import NOW, entries, fields, stored, wire


def dead(store: Store) -> dict[str, tuple[str, str]]:
    """Reason and payload of the dead letters, by entry."""
    with store.read() as connection:
        rows = connection.execute(select(dead_letters).order_by(dead_letters.c.entry_id)).all()
    return {row.entry_id: (row.reason, row.payload) for row in rows}


def ids(store: Store) -> list[int]:
    """The ids of the session's stored events."""
    return [event.id for event in stored_events.session_events(store, "s-1", 0, 10_000)]


BROKEN: dict[str, bytes | None] = {
    "no event": None,
    "empty": b"",
    "not json": b"{",
    "not utf-8": b'{"id":"\xff\xfe"}',
    "a list": b"[1,2]",
    "a number": b"7",
    "null": b"null",
    "nothing inside": b"{}",
    "a lone surrogate": wire(NOW).replace(b"task-1", b"\\ud800"),
    "no id": orjson.dumps({k: v for k, v in fields(NOW).items() if k != "id"}),
    "no type": orjson.dumps({k: v for k, v in fields(NOW).items() if k != "event_type"}),
    "no category": orjson.dumps({k: v for k, v in fields(NOW).items() if k != "category"}),
    "deep": b'{"id":1,"event_data":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "huge number": wire(NOW).replace(str(NOW).encode(), b"9" * 40, 1),
}


def test_what_is_no_event_goes_to_the_dead_letters(store: Store) -> None:
    """One broken entry would keep all later events of all users out of the record."""
    batch: list[tuple[str, bytes | None]] = []
    names = {kind: f"{number}-1" for number, kind in enumerate(BROKEN, start=1)}
    for number, (kind, body) in enumerate(BROKEN.items(), start=1):
        batch += [(names[kind], body), *entries([wire(NOW + number)])]
    for _ in range(2):
        recorded = record(store, batch, lambda _: "")
        assert (len(recorded.rows), recorded.buried) == (len(BROKEN), len(BROKEN))
    assert ids(store) == [NOW + n + 1 for n in range(len(BROKEN))]
    assert {entry_id: payload for entry_id, (_, payload) in dead(store).items()} == {
        names[kind]: (body or b"").decode("utf-8", "replace") for kind, body in BROKEN.items()
    }
    assert all(reason for reason, _ in dead(store).values())


WRONG: list[dict[str, Any]] = [
    {name: value}
    for name in (
        "seq",
        "attempt",
        "processing_time_ms",
        "queue_time_ms",
        "event_status",
        "category",
        "priority",
        "session_id",
        "message_id",
        "user_message",
        "reason",
        "task_id",
    )
    for value in ({"a": 1}, [1, 2])
] + [
    {"id": "7"},
    {"id": 1.5},
    {"id": None},
    {"event_type": 5},
    {"event_type": None},
    {"processing_time_ms": "soon"},
    {"event_type": "error", "event_status": "failed", "message_id": ["m-1"]},
]


def test_a_field_of_a_wrong_type_does_not_stop_the_others(store: Store) -> None:
    """The recorder would end with a traceback, start again, and end again at the same entry."""
    wrongly: dict[str, str] = {}
    for number, wrong in enumerate(WRONG, start=1):
        at = NOW + number * 10
        body = orjson.dumps({**fields(at), **wrong})
        batch = [*entries([wire(at + 1)]), (f"{number}-1", body), *entries([wire(at + 2)])]
        try:
            recorded = record(store, batch, lambda _: "")
        except Exception as fault:
            wrongly[str(wrong)] = f"stopped the batch: {fault!r}"
        else:
            if (recorded.buried, ids(store)[-2:]) != (1, [at + 1, at + 2]):
                wrongly[str(wrong)] = "was stored"
    assert wrongly == {}
    assert len(dead(store)) == len(WRONG)


TEXTS = ("event_type", "event_status", "session_id", "message_id", "user_message", "task_id")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_nul_is_buried_alone(store: Store) -> None:
    """PostgreSQL refuses a whole batch for one NUL: 999 good events would be lost with it."""
    for number, name in enumerate(TEXTS, start=1):
        at = NOW + number * 1_000
        batch = [wire(at + n) for n in range(40)]
        batch[17] = wire(at + 17, **{name: "a\x00b"})
        recorded = stored(store, *batch)
        assert (name, len(recorded.rows), recorded.buried) == (name, 39, 1)
        assert len(ids(store)) == 39 * number
        reason, payload = dead(store)[f"{at + 17}-0"]
        assert reason.startswith("the database refused it")
        assert "a\\u0000b" in payload
    assert len(dead(store)) == len(TEXTS)


def test_a_nul_inside_of_the_data_holds_nobody_up(store: Store) -> None:
    """A tool's output with a NUL would keep all later events out of the record."""
    recorded = stored(store, wire(NOW), wire(NOW + 1, event_data={"k\x00": "v\x00"}), wire(NOW + 2))
    assert len(recorded.rows) + recorded.buried == 3
    assert {NOW, NOW + 2} <= set(ids(store))


def test_many_bad_ones_among_many_good_ones(store: Store) -> None:
    """Where half a batch is bad, good events would be lost with the bad."""
    shuffled = random.Random(7)
    bad = set(shuffled.sample(range(300), 60))
    batch = [wire(NOW + n, seq=2**63 if n in bad else n) for n in range(300)]
    recorded = stored(store, *batch)
    assert (len(recorded.rows), recorded.buried) == (240, 60)
    assert ids(store) == [NOW + n for n in range(300) if n not in bad]
    assert len(dead(store)) == 60


def test_a_large_event_is_stored(store: Store) -> None:
    """An event at the limit would be lost."""
    stored(store, wire(NOW, event_data={"text": "x" * 1_000_000}), wire(NOW + 1))
    assert ids(store) == [NOW, NOW + 1]
    assert len(stored_events.session_events(store, "s-1", 0, 1)[0].wire) > 1_000_000


def test_a_dead_letter_is_kept_readable(store: Store) -> None:
    """Nobody could find out what was lost."""
    record(store, [("5-5", b"\x00\xff not json \xc3\xa9")], lambda _: "")
    assert dead(store)["5-5"][1] == "\\0\ufffd not json é"

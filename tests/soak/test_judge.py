"""The judge notices what it is there for: a skipped, repeated, early, foreign or lost event."""

from __future__ import annotations

import dataclasses

import pytest

from tests.soak.judge import Held, judge
from tests.soak.life import Life

HELD = {"s": [Held(id=10 * n, seq=n, event_type="tool_a" if n % 2 else "b", status="started") for n in range(1, 7)]}
EMITTED = {"s": [event.id for event in HELD["s"]]}


def _told(*ids: int, since: int | None = 0, filters: tuple[tuple[str, str], ...] = ()) -> Life:
    life = Life(7, "s", filters)
    life.begin(since)
    life.join("ws", 0.5)
    for event_id in ids:
        life.note({"id": event_id, "seq": event_id // 10, "session_id": "s"})
    return life


def _kinds(life: Life, emitted: dict[str, list[int]] | None = None) -> list[str]:
    return [violation.kind for violation in judge([life], HELD, emitted or {})]


def test_who_was_told_everything_is_content() -> None:
    """Without this a run without a fault would be reported as one."""
    assert _kinds(_told(10, 20, 30, 40, 50, 60), EMITTED) == []
    assert _kinds(_told(40, 50, 60, since=30)) == []
    assert _kinds(_told(10, 30, 50, filters=(("event_type", "tool_*"),))) == []
    assert _kinds(_told(filters=(("event_status", "failed"),))) == []


@pytest.mark.parametrize(
    ("ids", "kinds"),
    [
        ((10, 20, 40, 50, 60), ["missing"]),
        ((10, 20, 30), ["missing"] * 3),
        ((10, 20, 20, 30, 40, 50, 60), ["twice"]),
        ((10, 30, 20, 40, 50, 60), ["out of order"]),
        ((10, 20, 30, 40, 50, 60, 70), ["unknown"]),
    ],
)
def test_what_is_wrong_is_named(ids: tuple[int, ...], kinds: list[str]) -> None:
    """Without this a user would miss events, or see them twice, and the soak would still be green."""
    assert _kinds(_told(*ids)) == kinds


def test_a_filter_that_lets_too_much_through_is_named() -> None:
    """Without this a client would be told what it has not asked for."""
    assert _kinds(_told(10, 20, 30, 50, filters=(("event_type", "tool_*"),))) == ["unknown"]


def test_a_client_that_lies_is_found() -> None:
    """Without this a run could not be broken deliberately, to prove that it would be noticed."""
    for lie, kind in (({"skip_at": 3}, "missing"), ({"repeat_at": 3}, "twice")):
        life = dataclasses.replace(_told(), **lie)
        for event in HELD["s"]:
            life.note({"id": event.id, "seq": event.seq, "session_id": "s"})
        assert _kinds(life) == [kind]


def test_what_no_server_should_say_is_named() -> None:
    """Without this a client would be told to forget everything, or be given another's events, unnoticed."""
    life = _told(10, 20, 30, 40, 50, 60)
    life.hear({"type": "reset", "reason": "epoch"})
    life.hear({"type": "hello", "after": 9})
    life.note({"id": 60, "seq": 6, "session_id": "other"})
    assert sorted(_kinds(life)) == ["twice", "wrong", "wrong", "wrong"]
    assert _kinds(Life(1, "s")) == ["wrong"]


def test_an_event_that_the_record_has_lost_is_named() -> None:
    """Without this an event that nobody was told and nobody keeps would not be missed."""
    held = {"s": [event for event in HELD["s"] if event.seq != 3]}
    assert [violation.kind for violation in judge([], held, EMITTED)] == ["lost", "hole"]

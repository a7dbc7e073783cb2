"""Where the log and a session stand at one moment, and what Redis holds of the session behind an id."""

from __future__ import annotations

import pytest
import redis

from pipeline.bus import Bus, keys
from pipeline.event import Category, Identity, Priority, State, Status

PLENTY = 1_000_000
IDENTITY = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL, "s-1", "m-1", "u-1")


def _append(bus: Bus, count: int, text: str = "") -> list[int]:
    return [bus.append(IDENTITY, State(Status.PROGRESS, f"{n}{text}"), f"key {n}") for n in range(count)]


def test_a_tail_is_what_the_single_questions_give(bus: Bus) -> None:
    """Without this a client that catches up would be told other events than those that Redis holds."""
    before = bus.session_tail("s-1", 0, 5, PLENTY)
    assert (before.oldest_unstored, before.oldest_held, before.events, before.whole) == (None, None, [], True)
    ids = _append(bus, 7)
    for after, limit in ((0, 10), (0, 7), (ids[2], 3), (ids[3], 3), (ids[6], 3), (ids[6] + 1, 3)):
        tail = bus.session_tail("s-1", after, limit, PLENTY)
        assert (tail.epoch, tail.last_id) == bus.clock() == (before.epoch, ids[6])
        assert (tail.oldest_unstored, tail.oldest_held) == (ids[0], ids[0])
        single = bus.session_events("s-1", after, ids[6], limit)
        assert [event.wire for event in tail.events] == [event.wire for event in single]
        # As many as were asked for may not be all.
        assert tail.whole == (len(single) < limit)


def test_a_tail_tells_where_stream_and_log_begin(bus: Bus, raw: redis.Redis) -> None:
    """Without this what the stream has lost already would not be looked for in the log, and be missing in a feed."""
    ids = _append(bus, 5)
    raw.xtrim(keys.session_stream("s-1"), maxlen=2, approximate=False)
    raw.xtrim(keys.LOG, minid=f"{ids[1]}-0", approximate=False)
    tail = bus.session_tail("s-1", 0, 10, PLENTY)
    assert (tail.oldest_unstored, tail.oldest_held) == (ids[1], ids[3])
    assert [event.id for event in tail.events] == ids[3:]
    other = bus.session_tail("s-2", 0, 10, PLENTY)
    assert (other.oldest_unstored, other.oldest_held, other.events) == (ids[1], None, [])


def test_the_last_events_are_given_before_any_id(bus: Bus) -> None:
    """Without this the newest events of a long session could be had only by reading all of it."""
    ids = _append(bus, 200)
    for before, limit in ((None, 150), (ids[150], 70), (ids[0], 5), (ids[9], 10), (None, 201)):
        end = bus.session_end("s-1", before, limit, PLENTY)
        there = [one for one in ids if before is None or one < before]
        assert [event.id for event in end.events] == there[-limit:]
        assert end.whole == (len(there) < limit)
        assert end.last_id == ids[-1]


@pytest.mark.parametrize("length", [1_000, 40_000])
def test_no_more_is_given_than_may_be(bus: Bus, length: int) -> None:
    """Without this large events would hold up everybody who writes, and be too late for who asked for them."""
    ids = _append(bus, 12, "x" * length)
    size = len(bus.session_tail("s-1", 0, 1, PLENTY).events[0].wire)
    for limit_bytes, count in ((1, 1), (size, 1), (3 * size + 100, 3), (20 * size, 12)):
        tail = bus.session_tail("s-1", 0, 100, limit_bytes)
        assert [event.id for event in tail.events] == ids[:count]
        assert tail.whole == (count == len(ids))
        end = bus.session_end("s-1", None, 100, limit_bytes)
        assert [event.id for event in end.events] == ids[-count:]
        assert end.whole == (count == len(ids))

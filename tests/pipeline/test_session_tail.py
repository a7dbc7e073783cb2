"""Where the log and a session stand at one moment, and what Redis holds of the session behind an id."""

from __future__ import annotations

import redis

from pipeline.bus import Bus, keys
from pipeline.event import Category, Identity, Priority, State, Status

IDENTITY = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL, "s-1", "m-1", "u-1")


def _append(bus: Bus, count: int) -> list[int]:
    return [bus.append(IDENTITY, State(Status.PROGRESS, str(n)), f"key {n}") for n in range(count)]


def test_a_tail_is_what_the_single_questions_give(bus: Bus) -> None:
    """Without this a client that catches up would be told other events than those that Redis holds."""
    before = bus.session_tail("s-1", 0, 5)
    assert (before.oldest_unstored, before.oldest_held, before.events, before.whole) == (None, None, [], True)
    ids = _append(bus, 7)
    for after, limit in ((0, 10), (0, 7), (ids[2], 3), (ids[3], 3), (ids[6], 3), (ids[6] + 1, 3)):
        tail = bus.session_tail("s-1", after, limit)
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
    tail = bus.session_tail("s-1", 0, 10)
    assert (tail.oldest_unstored, tail.oldest_held) == (ids[1], ids[3])
    assert [event.id for event in tail.events] == ids[3:]
    other = bus.session_tail("s-2", 0, 10)
    assert (other.oldest_unstored, other.oldest_held, other.events) == (ids[1], None, [])

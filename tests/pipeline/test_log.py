"""Reading the log as its recorder: everything is given to somebody, nothing that is not stored is dropped."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from pipeline.bus import Bus, keys
from pipeline.bus.log import Entry, Log
from pipeline.event import Category, Identity, Priority, State, Status
from tests.parts.waiting import wait_for
from tests.pipeline.driven import kept

IDENTITY = Identity("custom.thing", Category.WORKFLOW, Priority.NORMAL, "s-1")
_counter = itertools.count()


def fill(bus: Bus, count: int) -> list[str]:
    """Appends events and gives their entries' ids."""
    state = State(Status.PROGRESS, "text")
    return [f"{bus.append(IDENTITY, state, f'log-{next(_counter)}')}-0" for _ in range(count)]


def ids(entries: list[Entry]) -> list[str]:
    """The entries' ids."""
    return [entry.entry_id for entry in entries]


def in_log(bus: Bus) -> list[str]:
    """What the log holds."""
    return ids(bus.log.read_log(0, 2**53, 10_000))


def test_a_recorder_is_given_all_from_the_beginning(bus: Bus) -> None:
    """What was said before the recorder's first start would never be stored."""
    written = fill(bus, 5)
    first = bus.log.read_new("a", 3, 0)
    assert ids(first) == written[:3]
    assert first[0].wire == kept(bus)[0].wire
    assert ids(bus.log.read_new("a", 3, 0)) == written[3:]
    assert bus.log.read_new("a", 3, 0) == []


def test_two_recorders_share_the_log(bus: Bus) -> None:
    """Every event would be stored twice over, or some by nobody."""
    written = fill(bus, 6)
    bus.log.join()
    bus.log.join()
    shares = [ids(bus.log.read_new(name, 2, 0)) for name in ("a", "b", "a", "b")]
    assert sorted(itertools.chain(*shares)) == written


def test_what_was_read_and_not_stored_is_given_again(bus: Bus) -> None:
    """Events in the hands of a recorder that was killed would be lost."""
    written = fill(bus, 4)
    taken = bus.log.read_new("dead", 4, 0)
    bus.log.acknowledge(taken[:1])
    assert ids(bus.log.read_own("dead", "0", 10)) == written[1:]
    assert bus.log.read_new("alive", 10, 0) == []
    assert bus.log.claim("alive", 60_000, 10) == []
    claimed = bus.log.claim("alive", 0, 2)
    assert ids(claimed) == written[1:3]
    assert all(entry.wire for entry in claimed)
    assert ids(bus.log.claim("alive", 0, 10)) == written[1:]
    bus.log.acknowledge(bus.log.claim("alive", 0, 10))
    assert bus.log.claim("alive", 0, 10) == []
    bus.log.acknowledge([])


def test_a_waiting_recorder_is_given_the_next_event_at_once(bus: Bus) -> None:
    """The record would lag behind by the length of a wait."""
    bus.log.join()
    found: list[Entry] = []
    reader = threading.Thread(target=lambda: found.extend(bus.log.read_new("a", 10, 1_500)))
    reader.start()
    written = fill(bus, 1)
    wait_for(lambda: ids(found) == written, "the event")
    reader.join(10)
    assert bus.log.read_new("a", 10, 20) == []


def test_trim_drops_only_what_is_stored(bus: Bus) -> None:
    """Redis would fill up; or, cut by length, the log would drop what is in no database yet."""
    written = fill(bus, 450)
    assert len(bus.log.read_new("a", 300, 0)) == 300
    first = bus.log.claim("a", 0, 250)
    bus.log.acknowledge(first)
    assert bus.log.trim() > 0
    kept = in_log(bus)
    # 250 are stored; 50 are in a recorder's hands, 150 nobody has read.
    assert kept[-200:] == written[250:]
    assert len(kept) < 450
    assert ids(bus.log.read_new("a", 1_000, 0)) == written[300:]
    bus.log.acknowledge(bus.log.read_own("a", "0", 1_000))
    bus.log.trim()
    assert len(in_log(bus)) <= 100
    assert bus.log.backlog() == 0


def test_trim_spares_what_was_written_under_the_same_number(bus: Bus, raw: redis.Redis) -> None:
    """An entry that another program wrote would vanish instead of being kept with the dead letters."""
    # Entries of this size fill a node of the stream, which is dropped as a whole.
    large = {"e": b"x" * 5_000}
    raw.xadd(keys.LOG, large, "7-0")
    bus.log.join()
    bus.log.acknowledge(bus.log.read_new("a", 10, 0))
    raw.xadd(keys.LOG, large, "7-1")
    raw.xadd(keys.LOG, large, "8-0")
    bus.log.trim()
    assert [entry.entry_id for entry in bus.log.read_new("a", 10, 0)] == ["7-1", "8-0"]


def test_trim_before_anybody_reads_drops_nothing(bus: Bus) -> None:
    """A recorder that starts late would find an empty log."""
    written = fill(bus, 250)
    bus.log.join()
    assert bus.log.trim() == 0
    assert in_log(bus) == written
    assert bus.log.backlog() == 250


class _Interleaved:
    """A client that does `then` right behind the first `command`: another recorder, in the narrowest moment."""

    def __init__(self, client: redis.Redis, command: str, then: Callable[[], Any]) -> None:
        self._client, self._command, self._then = client, command, then

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            reply = getattr(self._client, name)(*arguments, **named)
            if name == self._command:
                self._command = ""
                self._then()
            return reply

        return call


@pytest.mark.parametrize("moment", ["xpending", "xinfo_groups", "pipeline"])
def test_trim_beside_another_recorder_drops_nothing_unstored(bus: Bus, raw: redis.Redis, moment: str) -> None:
    """What another recorder has just read would be gone if it is killed before it has stored it."""
    fill(bus, 150)
    bus.log.acknowledge(bus.log.read_new("a", 150, 0))
    unstored = fill(bus, 150)
    client: Any = _Interleaved(raw, moment, lambda: bus.log.read_new("b", 150, 0))
    Log(client).trim()
    assert in_log(bus)[-150:] == unstored
    assert [entry.wire for entry in bus.log.read_own("b", "0", 200)].count(None) == 0


def test_a_log_that_is_lost_while_it_is_made_is_made_again(bus: Bus, raw: redis.Redis) -> None:
    """A recorder would end when Redis is emptied just as it starts."""
    client: Any = _Interleaved(raw, "xgroup_create", lambda: raw.delete(keys.LOG))
    assert Log(client).backlog() == 0
    assert raw.exists(keys.LOG)


@pytest.mark.parametrize("moment", ["xpending", "xinfo_groups", "pipeline"])
def test_trim_while_the_group_is_lost_drops_nothing_unstored(bus: Bus, raw: redis.Redis, moment: str) -> None:
    """What a recorder was killed with would be gone, if the group is made again at that moment."""
    unstored = fill(bus, 150)
    assert len(bus.log.read_new("a recorder that was killed", 150, 0)) == 150

    def lose() -> None:
        raw.xgroup_destroy(keys.LOG, keys.RECORDERS)
        bus.log.join()

    client: Any = _Interleaved(raw, moment, lose)
    Log(client).trim()
    assert in_log(bus) == unstored


LOSSES = {
    "nothing was ever written": lambda raw: raw.flushall(),
    "the group was deleted": lambda raw: raw.xgroup_destroy(keys.LOG, keys.RECORDERS),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_recorder_survives_the_loss_of_its_group(bus: Bus, raw: redis.Redis, loss: str) -> None:
    """After Redis lost its data, the recorder would end with a traceback and nothing be stored any more."""
    fill(bus, 3)
    bus.log.acknowledge(bus.log.read_new("a", 10, 0))
    LOSSES[loss](raw)
    left = len(in_log(bus))
    assert bus.log.claim("a", 0, 10) == []
    assert bus.log.trim() == 0
    assert bus.log.backlog() == left
    written = fill(bus, 2)
    assert ids(bus.log.read_new("a", 10, 0))[-2:] == written
    bus.log.acknowledge(bus.log.read_own("a", "0", 10))
    raw.xgroup_destroy(keys.LOG, keys.RECORDERS)
    bus.log.join()
    assert bus.log.claim("a", 0, 10) == []


def test_an_entry_without_an_event_is_given_too(bus: Bus, raw: redis.Redis) -> None:
    """One broken entry would stop the recorder at the same place for ever."""
    raw.xadd(keys.LOG, {"wrong": "field"}, id="5-0")
    raw.xadd(keys.LOG, {"e": b"\xff\x00"}, id="6-0")
    written = fill(bus, 1)
    assert bus.log.read_new("a", 10, 0)[:2] == [Entry("5-0", None), Entry("6-0", b"\xff\x00")]
    assert ids(bus.log.read_own("a", "6-0", 10)) == written
    raw.xdel(keys.LOG, "6-0")
    gone = bus.log.read_own("a", "0", 10)
    assert [entry.wire for entry in gone][:2] == [None, None]


def test_a_part_of_the_log_can_be_read_between_two_ids(bus: Bus) -> None:
    """An operator's feed could not repeat what is not stored yet."""
    numbers = [int(written.partition("-")[0]) for written in fill(bus, 5)]
    assert ids(bus.log.read_log(numbers[0], numbers[4], 10)) == [f"{n}-0" for n in numbers[1:4]]
    assert len(bus.log.read_log(0, 2**53, 2)) == 2

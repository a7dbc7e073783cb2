"""The log is told what the database holds: it goes on behind that, and knows whether Redis went back."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
import redis

from pipeline.bus import Bus, Frame, keys
from pipeline.event import Category, Identity, Priority, State, Status
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from tests.pipeline.driven import kept

AHEAD = 2_208_988_800_000_000
"""An id seventy years from now: Redis's clock is behind it."""
_counter = itertools.count()


def append(bus: Bus) -> int:
    """Appends an event that no other is a repeat of."""
    identity = Identity("custom.tick", Category.WORKFLOW, Priority.NORMAL, "s-1")
    return bus.append(identity, State(Status.PROGRESS), f"lift-{next(_counter)}")


def stored(bus: Bus) -> int:
    """Stores what is new, as a recorder does that is killed before it can say so. Gives the newest id."""
    entries = bus.log.read_new("recorder", 1_000, 0)
    return int(entries[-1].entry_id.partition("-")[0])


def acknowledged(bus: Bus, epoch: str) -> int:
    """Stores what is new, says so, and trims the log. Gives the newest id."""
    entries = bus.log.read_new("recorder", 1_000, 0)
    newest = int(entries[-1].entry_id.partition("-")[0])
    assert bus.lift(newest, epoch) == epoch
    bus.log.acknowledge(entries)
    bus.log.trim()
    return newest


class Copies:
    """An older state of a server's data, taken and put back while it is stopped."""

    def __init__(self, server: RedisPart, folder: Path) -> None:
        self._server, self._data, self._copy = server, server.files, folder / "copy"

    def take(self) -> None:
        """Copies the data of now."""
        self._server.stop()
        shutil.copytree(self._data, self._copy)
        self._server.start()

    def restore(self) -> None:
        """Starts the server on the copy."""
        self._server.stop(kill=True)
        shutil.rmtree(self._data)
        shutil.copytree(self._copy, self._data)
        self._server.start()


@pytest.fixture
def copies(redis_server: RedisPart, tmp_path: Path) -> Copies:
    """Copies of the server of `bus`."""
    return Copies(redis_server, tmp_path)


def test_ids_of_an_emptied_log_go_on_behind_what_is_stored(bus: Bus) -> None:
    """Without this an emptied Redis whose clock is behind would give ids a second time: those events were dropped."""
    epoch = bus.lift(AHEAD, "1")
    assert bus.clock() == (epoch, AHEAD)
    assert append(bus) == AHEAD + 1
    assert bus.lift(AHEAD, epoch) == epoch


def test_ids_that_were_given_too_low_get_an_epoch_of_their_own(bus: Bus) -> None:
    """Without this a client that has read what is stored would take events with lower ids for known ones."""
    low = append(bus)
    before = bus.clock()[0]
    epoch = bus.lift(AHEAD, "1")
    assert epoch != before
    assert low < AHEAD < append(bus)


def test_a_log_that_was_restored_from_an_older_state_is_known(bus: Bus, copies: Copies) -> None:
    """Without this a client would resume in a log that has forgotten what the client knows, and trust its numbers."""
    append(bus)
    epoch = bus.clock()[0]
    bus.log.join()
    acknowledged(bus, epoch)
    copies.take()
    lost = [append(bus) for _ in range(3)]
    newest = acknowledged(bus, epoch)
    assert newest == lost[-1]
    copies.restore()
    # An event before anybody looks: the newest id alone would tell nothing.
    again = append(bus)
    assert again > newest
    changed = bus.lift(newest, epoch)
    assert int(changed) > int(epoch)
    assert append(bus) > again
    assert bus.lift(newest, changed) == changed


def test_a_lost_tail_is_known_though_nothing_came_after_it(bus: Bus, copies: Copies) -> None:
    """Without this the ids of what was stored last would be given to other events."""
    append(bus)
    epoch = bus.clock()[0]
    bus.log.join()
    copies.take()
    append(bus)
    newest = stored(bus)
    copies.restore()
    assert bus.lift(newest, epoch) != epoch
    assert bus.clock()[1] >= newest


def test_a_log_from_before_marks_is_known_by_its_epoch(bus: Bus, raw: redis.Redis) -> None:
    """Without this a backup from before an update could be restored unnoticed."""
    append(bus)
    epoch = bus.lift(0, None)
    raw.hdel(keys.CLOCK, "mark")
    assert bus.lift(append(bus) - 1, None) == epoch
    raw.hdel(keys.CLOCK, "mark")
    assert bus.lift(bus.clock()[1] - 1, epoch) != epoch


def test_a_recorder_that_is_killed_between_two_steps_alarms_nobody(bus: Bus) -> None:
    """Without this every crash of a recorder would let all clients read everything again."""
    append(bus)
    epoch = bus.lift(0, None)
    bus.log.join()
    committed = stored(bus)
    for _ in range(2):
        # Another recorder, or the next life of this one, looks before the entries are marked.
        assert bus.lift(committed, epoch) == epoch
    for entry in bus.log.claim("another", 0, 10):
        bus.log.acknowledge([entry])
    append(bus)
    newest = acknowledged(bus, epoch)
    assert bus.lift(newest, epoch) == epoch
    assert bus.lift(committed, epoch) == epoch
    assert bus.lift(newest, "another") == epoch


def test_a_new_epoch_is_announced_once(bus: Bus, raw: redis.Redis) -> None:
    """Without this an open feed would show an old conversation until its client comes back by chance."""
    bus.lift(0, None)
    subscription = bus.subscribe()
    wait_for(lambda: subscription.read(0.1) == keys.EPOCHS, "the subscription")
    raw.hset(keys.CLOCK, "last", 5)
    epoch = bus.lift(AHEAD, "1")
    got = subscription.read(5)
    assert isinstance(got, Frame)
    assert (got.channel, got.id, got.body.decode()) == (keys.EPOCHS, 0, epoch)
    bus.lift(AHEAD, epoch)
    append(bus)
    assert subscription.read(0.2) is None
    raw.flushall()
    append(bus)
    emptied = subscription.read(5)
    assert isinstance(emptied, Frame)
    assert emptied.body.decode() == bus.clock()[0] != epoch
    subscription.close()
    assert len(kept(bus)) == 1

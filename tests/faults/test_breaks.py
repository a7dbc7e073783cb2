"""Each protection can be taken away, and is there otherwise; whether it is missed is for `make faults-meta` to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import settings as settings_table
from pipeline.bus import Bus, keys, open_bus
from pipeline.errors import StoreUnavailable
from pipeline.event import Category, Identity, Priority, State, Status
from pipeline.store import open_store
from tests.faults.options import BREAKS
from tests.parts.redis_part import RedisPart
from web.recorder import Recorder

_IDENTITY = Identity("job.progress", Category.WORKFLOW, Priority.NORMAL, "s-1")


@pytest.fixture
def make_bus(valkey: RedisPart, tmp_path: Path) -> Iterator[Callable[[str], Bus]]:
    """Makes buses without a protection, or with all for ''."""
    made: list[Bus] = []

    def make(protection: str) -> Bus:
        failpoints = BREAKS.get(protection, "")
        environment = {"REDIS_URL": valkey.url, "SPANFEED_HOME": str(tmp_path), "SPANFEED_EMIT_DEADLINE_MS": "5000"}
        made.append(open_bus(settings_table.load({**environment, "SPANFEED_FAILPOINTS": failpoints})))
        return made[-1]

    yield make
    for bus in made:
        bus.close_connections()


def _append(bus: Bus, key: str) -> int:
    return bus.append(_IDENTITY, State(Status.PROGRESS, "Working…"), emitter_key=key)


@pytest.mark.parametrize(("protection", "events"), [("", 1), ("no-emitter-key", 2)])
def test_the_emitter_key(make_bus: Callable[[str], Bus], protection: str, events: int) -> None:
    """Without this nobody could show that a lost reply would make two events."""
    bus = make_bus(protection)
    assert len({_append(bus, "same") for _ in range(2)}) == events


@pytest.mark.parametrize(("protection", "left"), [("", 50), ("trim-by-length", 20)])
def test_the_trim(make_bus: Callable[[str], Bus], valkey: RedisPart, protection: str, left: int) -> None:
    """Without this nobody could show that a log cut by its length would drop what is not stored."""
    bus = make_bus(protection)
    for number in range(50):
        _append(bus, str(number))
    bus.log.join()
    bus.log.trim()
    assert valkey.client().xlen(keys.LOG) == left


@pytest.mark.parametrize(("protection", "pending"), [("", 5), ("ack-before-commit", 0)])
def test_the_commit_before_the_acknowledgement(
    make_bus: Callable[[str], Bus], valkey: RedisPart, protection: str, pending: int
) -> None:
    """Without this nobody could show that events acknowledged too early would be lost with their recorder."""
    bus = make_bus(protection)
    for number in range(5):
        _append(bus, str(number))
    # A database that was never migrated takes nothing.
    store = open_store(bus.settings)
    with pytest.raises(StoreUnavailable):
        Recorder(bus.settings, bus, store).run_until_empty()
    store.close()
    assert valkey.client().xpending(keys.LOG, keys.RECORDERS)["pending"] == pending

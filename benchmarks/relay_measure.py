"""Measuring feeds: what is sent, what came of it, and how sides take turns."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.load_clients import FULL, Audience
from benchmarks.own_python import say
from benchmarks.pairs import Comparison, Goal, compare
from benchmarks.relay_sides import Side
from tests.parts.redis_part import RedisPart

T = TypeVar("T")
_QUIET_MS = 10_000
"""Flask-SocketIO may send nothing for seconds while it takes in what was emitted."""
_REST_QUIET_MS = 2_000
_NEVER = 1 << 40
_AS_LONG = 0.95
_SAMPLES = 100_000
_REDIS = {
    # No side loses its connection because it is slow, and no rewrite of the file falls on one of them by chance.
    "client-output-buffer-limit": "pubsub 0 0 0",
    "auto-aof-rewrite-percentage": "0",
    "maxclients": "19000",
}


@dataclasses.dataclass(frozen=True)
class Load:
    """Events to sessions in turn. `rate` is events a second, 0: as fast as it goes; `batch` are sent at once."""

    clients: int
    sessions: int
    events: int
    rate: float = 0.0
    batch: int = 1

    @property
    def deliveries(self) -> int:
        """How many messages clients are to get."""
        return self.events * self.clients // self.sessions


@dataclasses.dataclass(frozen=True)
class Found:
    """What came of a load. `rate` is deliveries a second, `cpu_us` the server's (Redis not counted) for each."""

    count: int
    missing: int
    rate: float
    cpu_us: float
    p50_us: float
    p99_us: float
    client_busy: float
    publisher_busy: float
    publisher_seconds: float
    seconds: float
    waited_for_emitter: bool

    def notes(self, whose: str) -> list[str]:
        """What makes these figures worth less."""
        found = []
        if self.client_busy >= FULL:
            found.append(f"the load client was at its limit ({whose})")
        if self.publisher_busy >= FULL:
            found.append(f"the emitter was at its limit ({whose})")
        if self.waited_for_emitter:
            found.append(f"sending, with Redis, took as long as delivering ({whose})")
        if self.missing:
            found.append(f"deliveries are missing ({whose})")
        return found


def measure(side: Side, audience: Audience, load: Load) -> Found:
    """Puts a load on a side."""
    side.publisher()
    audience.begin(load.deliveries, _QUIET_MS, max(1, load.deliveries // _SAMPLES))
    cpu, began = side.cpu_seconds(), time.monotonic()
    sent = side.publish(load.events, load.sessions, load.rate, load.batch)
    seen = audience.found()
    cpu, took = side.cpu_seconds() - cpu, time.monotonic() - began
    count = int(seen["count"])
    if count < load.deliveries:
        # What comes after all must not be taken for what is sent next.
        audience.begin(_NEVER, _REST_QUIET_MS, _NEVER)
        audience.found()
    found = Found(
        count,
        load.deliveries - count,
        count / seen["seconds"] if seen["seconds"] else 0.0,
        cpu / max(1, count) * 1e6,
        float(seen["p50_us"]),
        float(seen["p99_us"]),
        float(seen["busy"]),
        float(sent["busy"]),
        float(sent["seconds"]),
        took,
        not load.rate and not side.accepts_late and float(sent["seconds"]) >= _AS_LONG * took,
    )
    say(f"  {side.label}: {json.dumps({k: round(v, 2) for k, v in vars(found).items()})}")
    return found


@contextlib.contextmanager
def started(kinds: Mapping[str, type[Side]], names: Sequence[str], folder: Path, clients: int) -> Iterator[list[Side]]:
    """The sides of these names on one Redis of their own, as far as they can be had."""
    with contextlib.ExitStack() as ends:
        part = RedisPart(folder / "redis", in_memory=False)
        ends.callback(part.stop, kill=True)
        for name, value in _REDIS.items():
            part.client().config_set(name, value)
        sides = []
        for name in names:
            if name in kinds:
                sides.append(kinds[name](folder, part, clients))
                ends.callback(sides[-1].stop)
        yield sides


def by_turns(sides: Sequence[Side], rounds: int, turn: Callable[[Side], T]) -> dict[str, list[T]]:
    """What each side's turns gave, in rounds whose order changes, so that each pair was taken a moment apart."""
    found: dict[str, list[T]] = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 else reversed(sides):
            found[side.name].append(turn(side))
    return found


def figures(
    name: str,
    unit: str,
    of: Callable[[T], float],
    found: Mapping[str, Sequence[T]],
    sides: Sequence[Side],
    goals: Mapping[str, Goal],
    ours: str = "ours",
) -> list[Comparison]:
    """One figure of ours beside that of each other side; a side whose figure is 0 is left out."""
    lines = []
    for side in sides:
        pairs = [(of(own), of(theirs)) for own, theirs in zip(found[ours], found[side.name], strict=True)]
        if side.name == ours or not all(theirs for _, theirs in pairs):
            continue
        line = compare(name, unit, side.label, pairs, goals.get(side.name))
        notes = [*_notes(found[ours], "ours"), *_notes(found[side.name], "the peer's")]
        lines.append(dataclasses.replace(line, note="; ".join(notes)))
    return lines


def _notes(found: Sequence[object], whose: str) -> list[str]:
    """What is true of at least half of the rounds."""
    every = [one.notes(whose) for one in found if isinstance(one, Found)]
    names = sorted({note for notes in every for note in notes})
    return [name for name in names if statistics.median([name in notes for notes in every]) >= 0.5]

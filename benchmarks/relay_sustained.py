"""The highest rate that a side can keep up: its clients get nearly all within 50 ms."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from benchmarks.load_clients import Audience
from benchmarks.own_python import say
from benchmarks.pairs import Comparison
from benchmarks.relay_measure import Load, by_turns, figures, measure
from benchmarks.relay_scenarios import Bench, open_feeds, open_sides
from benchmarks.relay_sides import Side

_P99_US = 50_000
_BATCH = 20
_STEP = 1.5
_STEPS_LIMIT = 16
_LATE = 1.1
"""An emitter that needs so much longer than planned does not keep the rate up."""


class _Search:
    """Looks for the highest rate of one side; a second search begins near what the first one found."""

    def __init__(self, bench: Bench, side: Side, audience: Audience, batch: int) -> None:
        self._bench, self._side, self._audience, self._batch = bench, side, audience, batch
        self._begin = side.first_rate * (_BATCH if batch > 1 else 1)

    def highest(self) -> float:
        """Deliveries a second; 0 when even the lowest rate is too much."""
        rate, best = self._begin, 0.0
        for _ in range(_STEPS_LIMIT):
            good = self._keeps_up(rate)
            if good:
                best = rate
            elif best or rate < 1:
                break
            rate = rate * _STEP if good else rate / _STEP**2
        # Once more between the last that went and the first that did not.
        if best and self._keeps_up(best * _STEP**0.5):
            best *= _STEP**0.5
        self._begin = max(1.0, best / _STEP) if best else self._begin
        say(f"  {self._side.label}, {self._batch} at once: {best * self._bench.clients:.0f} deliveries/s")
        return best * self._bench.clients

    def _keeps_up(self, rate: float) -> bool:
        seconds = self._bench.seconds / 2
        load = Load(self._bench.clients, 1, max(self._batch, int(rate * seconds)), rate, self._batch)
        found = measure(self._side, self._audience, load)
        planned = load.events / rate
        return not found.missing and found.p99_us <= _P99_US and found.publisher_seconds <= planned * _LATE


def sustained(bench: Bench) -> list[Comparison]:
    """One session that all clients read, at the highest rate whose p99 stays within 50 ms."""
    rounds = min(3, bench.rounds)
    with contextlib.ExitStack() as ends:
        sides = open_sides(bench, ends, ("ours", "naive", "socketio", "nchan", "nchanredis"))
        feeds = open_feeds(ends, sides, bench.clients, 1)
        single = _searches(bench, sides, feeds, 1)
        found = by_turns(sides, rounds, lambda side: single[side.name].highest())
        batched = _searches(bench, sides, feeds, _BATCH)
        found_batched = by_turns(sides, rounds, lambda side: batched[side.name].highest())
    name, unit = "one session, p99 within 50 ms", "deliveries/s"
    return [
        *figures(f"{name}, one by one", unit, float, found, sides, {}),
        *figures(f"{name}, {_BATCH} at once", unit, float, found_batched, sides, {}),
    ]


def _searches(bench: Bench, sides: Sequence[Side], feeds: dict[str, Audience], batch: int) -> dict[str, _Search]:
    return {side.name: _Search(bench, side, feeds[side.name], batch) for side in sides}

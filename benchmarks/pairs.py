"""What is made of interleaved pairs: the figures of both sides, their ratio, and the interval that it lies in."""

from __future__ import annotations

import dataclasses
import random
import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Pair = tuple[float, float]
"""One measure of ours and one of the peer's, taken one after the other."""

_RESAMPLES = 1_000
_SEED = 20_260_101


@dataclasses.dataclass(frozen=True)
class Goal:
    """A bound: of the ratio, or with `ours` of our own figure."""

    sign: str
    bound: float
    ours: bool = False

    def __str__(self) -> str:
        return f"{'ours' if self.ours else 'ratio'} {self.sign} {self.bound:g}"

    def holds(self, ours: float, ratio: float) -> bool:
        """Whether the figures meet it."""
        value = ours if self.ours else ratio
        return value <= self.bound if self.sign == "<=" else value >= self.bound


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One figure of ours beside the peer's; `ratio` is ours / peer's, its 95 % interval from `low` to `high`."""

    name: str
    unit: str
    peer_name: str
    ours: float
    peer: float
    ratio: float
    low: float
    high: float
    pairs: int
    goal: Goal | None = None
    note: str = ""
    """What makes the figure worth less, if anything."""


def compare(name: str, unit: str, peer_name: str, pairs: Sequence[Pair], goal: Goal | None = None) -> Comparison:
    """The medians of both sides, and the median of the pairs' ratios: what disturbs a whole pair falls out.

    Raises StatisticsError when there are no pairs.
    """
    ours, peer = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = [own / theirs for own, theirs in pairs]
    low, high = _interval(ratios, statistics.median)
    return Comparison(name, unit, peer_name, ours, peer, statistics.median(ratios), low, high, len(pairs), goal)


def compare_percentile(
    name: str, unit: str, peer_name: str, pairs: Sequence[Pair], share: float, goal: Goal | None = None
) -> Comparison:
    """A percentile (`share` is 0..1) of each side, and the ratio of the two. Raises IndexError without pairs."""

    def figures(sample: Sequence[Pair]) -> Pair:
        return percentile([ours for ours, _ in sample], share), percentile([peer for _, peer in sample], share)

    def ratio(sample: Sequence[Pair]) -> float:
        ours, peer = figures(sample)
        return ours / peer

    low, high = _interval(pairs, ratio)
    return Comparison(name, unit, peer_name, *figures(pairs), ratio(pairs), low, high, len(pairs), goal)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of the values do not exceed."""
    ordered = sorted(values)
    return next(value for number, value in enumerate(ordered, 1) if number >= share * len(ordered))


def _interval(sample: Sequence[T], figure: Callable[[Sequence[T]], float]) -> tuple[float, float]:
    """The 95 % percentile-bootstrap interval of `figure` over the sample; the same for the same sample."""
    chance = random.Random(_SEED)
    figures = sorted(figure(chance.choices(sample, k=len(sample))) for _ in range(_RESAMPLES))
    return figures[round(0.025 * _RESAMPLES)], figures[round(0.975 * _RESAMPLES) - 1]

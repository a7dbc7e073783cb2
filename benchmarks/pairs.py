"""What is made of interleaved pairs: medians, their ratio, and the interval that the ratio lies in."""

from __future__ import annotations

import dataclasses
import random
import statistics
from collections.abc import Sequence

_RESAMPLES = 4_000
_SEED = 20_260_101


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One measure of ours and the peer's, taken pair by pair; `ratio` is ours / peer's.

    `low` and `high` bound the ratio's 95 % bootstrap interval. `goal` is a sentence such as `<= 1.15`, or empty.
    """

    name: str
    unit: str
    peer_name: str
    ours: float
    peer: float
    ratio: float
    low: float
    high: float
    pairs: int
    goal: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the ratio meets the goal; None without one."""
        if not self.goal:
            return None
        sign, _, bound = self.goal.partition(" ")
        return self.ratio <= float(bound) if sign == "<=" else self.ratio >= float(bound)


def compare(
    name: str, unit: str, peer_name: str, pairs: Sequence[tuple[float, float]], goal: str = ""
) -> Comparison:
    """What the pairs (ours, the peer's) say: medians of both, and the median of the ratios with its interval.

    Raises statistics.StatisticsError when there are no pairs.
    """
    ratios = [ours / peer for ours, peer in pairs]
    low, high = interval(ratios)
    return Comparison(
        name=name,
        unit=unit,
        peer_name=peer_name,
        ours=statistics.median(ours for ours, _ in pairs),
        peer=statistics.median(peer for _, peer in pairs),
        ratio=statistics.median(ratios),
        low=low,
        high=high,
        pairs=len(pairs),
        goal=goal,
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % percentile-bootstrap interval of the median; the same for the same values."""
    chance = random.Random(_SEED)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    return medians[round(0.025 * _RESAMPLES)], medians[round(0.975 * _RESAMPLES) - 1]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-round(share * 10_000) * len(ordered) // 10_000) - 1))]

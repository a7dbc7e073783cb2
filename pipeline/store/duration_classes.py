"""Classes of durations: bounds that grow by about a half, so that percentiles can be read from counts."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence

_DIGITS = (10, 15, 20, 30, 50, 70)
BOUNDS_MS = (1, 2, 3, 5, 7, *(digits * 10**power for power in range(5) for digits in _DIGITS))
"""The highest duration of each class but the last, which has no end: from 1 ms to nearly twelve minutes."""
UNTIMED = -1
"""The class of events that do not say how long they took."""


def class_of(took_ms: int | None) -> int:
    """The class of a duration: the first whose bound is not below it."""
    return UNTIMED if took_ms is None else bisect.bisect_left(BOUNDS_MS, took_ms)


def percentile_ms(counts: Mapping[int, int], share: float, bounds_ms: Sequence[float] = BOUNDS_MS) -> float | None:
    """The duration that `share` of the timed events did not exceed, None without any.

    `counts` are by class, of which `bounds_ms` are the highest durations. It lies in the right class; within it, it is
    guessed as if the events lay evenly. Of the class without an end the beginning is given.
    """
    total = sum(counts.values())
    if not total:
        return None
    left = share * total
    for number in sorted(counts):
        count = counts[number]
        if left <= count:
            break
        left -= count
    lower = bounds_ms[number - 1] if number else 0
    upper = bounds_ms[number] if number < len(bounds_ms) else lower
    return round(lower + (upper - lower) * min(1.0, left / max(1, count)), 2)

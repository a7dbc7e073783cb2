"""What else the machine did meanwhile: pairs that were disturbed are set aside, not by their outcome but by this."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence

import psutil

_ENOUGH_PAIRS = 8


@dataclasses.dataclass(frozen=True)
class Disturbance:
    """How many cores other programs used, on the average."""

    cores: float


class Watch:
    """Watches from now on. `own_cpu_seconds` is the CPU time of all that belongs to the measurement."""

    def __init__(self, own_cpu_seconds: Callable[[], float]) -> None:
        self._own_cpu_seconds = own_cpu_seconds
        self._began = (time.monotonic(), _busy_seconds(), own_cpu_seconds())

    def seen(self) -> Disturbance:
        """What was seen until now."""
        at, busy, own = self._began
        foreign = (_busy_seconds() - busy) - (self._own_cpu_seconds() - own)
        return Disturbance(max(0.0, foreign) / (time.monotonic() - at))


def _busy_seconds() -> float:
    """Time that the machine's cores have not been idle, that taken by other machines included."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def own_seconds() -> float:
    """CPU time of this process."""
    times = psutil.Process(os.getpid()).cpu_times()
    return times.user + times.system


def quiet_numbers(disturbances: Sequence[Disturbance], limit_cores: float) -> list[int]:
    """The numbers of the pairs that were left alone; the quietest ones where these are too few."""
    order = sorted(range(len(disturbances)), key=lambda number: disturbances[number].cores)
    quiet = [number for number in order if disturbances[number].cores <= limit_cores]
    return quiet if len(quiet) >= _ENOUGH_PAIRS else order[:_ENOUGH_PAIRS]

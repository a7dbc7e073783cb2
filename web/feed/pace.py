"""How fast somebody may speak: so much a second on the average, and a burst now and then. No I/O."""

from __future__ import annotations


class Pace:
    """A bucket of words that are still allowed; it fills up again with time."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = max(burst, 1.0)
        self._left = self._burst
        self._at = now

    @property
    def state(self) -> tuple[float, float]:
        """How many words are left, and when that was counted."""
        return self._left, self._at

    @classmethod
    def of(cls, per_second: float, burst: float, state: tuple[float, float]) -> Pace:
        """Goes on where another one was."""
        made = cls(per_second, burst, state[1])
        made._left = min(state[0], made._burst)
        return made

    def allows(self, now: float) -> bool:
        """Whether one more is allowed; it is counted then."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

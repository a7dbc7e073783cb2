"""Waiting for many moments that are all different, to the second."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Expiries(Generic[T]):
    """Members, each of which is due at a moment of its own."""

    def __init__(self, now: float) -> None:
        self._looked_at = int(now)
        self._seconds: dict[int, dict[T, None]] = {}
        self._second_of: dict[T, int] = {}

    def set(self, member: T, at: float | None) -> None:
        """Waits for this moment instead of another; for none with None."""
        before = self._second_of.pop(member, None)
        if before is not None:
            self._seconds[before].pop(member, None)
            if not self._seconds[before]:
                del self._seconds[before]
        if at is not None:
            # Not before it is due, and never in a second that was looked at already.
            second = max(int(at) + 1, self._looked_at + 1)
            self._second_of[member] = second
            self._seconds.setdefault(second, {})[member] = None

    def take_due(self, now: float) -> list[T]:
        """Takes out who is due."""
        found: list[T] = []
        for second in range(self._looked_at + 1, int(now) + 1):
            found += self._seconds.pop(second, ())
        self._looked_at = max(self._looked_at, int(now))
        for member in found:
            del self._second_of[member]
        return found

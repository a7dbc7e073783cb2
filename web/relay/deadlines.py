"""Waiting for many things that all may take equally long, at the cost of those that are due."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Members, each of which is due the same time after it was added."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # In the order in which they are due, because the wait is the same for all.
        self._due_at: dict[T, float] = {}

    def add(self, member: T, now: float) -> None:
        """Begins to wait, anew if the member is there already."""
        self._due_at.pop(member, None)
        self._due_at[member] = now + self._seconds

    def discard(self, member: T) -> None:
        """Waits no more."""
        self._due_at.pop(member, None)

    def take_due(self, now: float) -> list[T]:
        """Takes out who is due."""
        found: list[T] = []
        for member, due_at in self._due_at.items():
            if due_at > now:
                break
            found.append(member)
        for member in found:
            del self._due_at[member]
        return found

    def next(self, otherwise: float) -> float:
        """When the next one is due, `otherwise` if nobody is before that."""
        return min(otherwise, next(iter(self._due_at.values()), otherwise))

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
        self._latest = 0.0
        self._in_order = True

    def add(self, member: T, now: float) -> None:
        """Begins to wait, anew if the member is there already; seldom since another moment than the present one."""
        self._due_at.pop(member, None)
        self._due_at[member] = due_at = now + self._seconds
        if due_at >= self._latest:
            self._latest = due_at
        else:
            self._in_order = False

    def _order(self) -> None:
        if not self._in_order:
            self._due_at = dict(sorted(self._due_at.items(), key=lambda item: item[1]))
            self._in_order = True

    def __len__(self) -> int:
        return len(self._due_at)

    def discard(self, member: T) -> None:
        """Waits no more."""
        self._due_at.pop(member, None)

    def take_due(self, now: float) -> list[T]:
        """Takes out who is due."""
        self._order()
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
        self._order()
        return min(otherwise, next(iter(self._due_at.values()), otherwise))

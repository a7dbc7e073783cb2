"""A line of the spool, and the count of what a spool has lost."""

from __future__ import annotations

import dataclasses

PROGRESS = "progress"
"""The word of entries that are dropped before all others."""
UNREADABLE = "unreadable"
"""The word by which lines are counted that nobody can read."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """What waits in a spool; `size_bytes` is its line's length."""

    word: str
    at_us: int
    body: bytes
    size_bytes: int = 0

    def line(self) -> bytes:
        """The entry as it stands in the file."""
        return b"%s %d %s\n" % (self.word.encode(), self.at_us, self.body)


@dataclasses.dataclass
class Losses:
    """How many entries were lost, by word, and from when to when they had happened (Unix microseconds)."""

    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    since_us: int = 0
    until_us: int = 0

    @property
    def total(self) -> int:
        """How many."""
        return sum(self.counts.values())

    def add(self, word: str, at_us: int) -> None:
        """Counts one more."""
        self.counts[word] = self.counts.get(word, 0) + 1
        self.since_us = min(self.since_us or at_us, at_us)
        self.until_us = max(self.until_us, at_us)

    def take_out(self, told: Losses) -> None:
        """Leaves what has come since `told` was copied."""
        left = {word: count - told.counts.get(word, 0) for word, count in self.counts.items()}
        self.counts = {word: count for word, count in left.items() if count > 0}
        self.since_us, self.until_us = (told.until_us, self.until_us) if self.counts else (0, 0)

    def copy(self) -> Losses:
        """The losses so far."""
        return dataclasses.replace(self, counts=dict(self.counts))


def parse(line: bytes) -> Entry | None:
    """The entry that a line holds; None when it holds none."""
    word, _, rest = line.partition(b" ")
    at, _, body = rest.partition(b" ")
    if not at.isdigit() or not body.endswith(b"\n"):
        return None
    return Entry(word.decode("ascii", "replace"), int(at), body[:-1], len(line))

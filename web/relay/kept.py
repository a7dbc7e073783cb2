"""What is announced on a channel while clients who read it are on their way from one relay to another."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.bus import Frame


class Kept:
    """Frames in their order, up to so many bytes; `whole` until something was missed."""

    __slots__ = ("_frames", "_limit_bytes", "_size", "whole")

    def __init__(self, limit_bytes: int) -> None:
        self._frames: list[Frame] = []
        self._size = 0
        self._limit_bytes = limit_bytes
        self.whole = True

    def add(self, frames: Sequence[Frame]) -> None:
        """Keeps frames; without room none is kept any more."""
        if not self.whole:
            return
        self._size += sum(len(frame.body) for frame in frames)
        self._frames += frames
        if self._size > self._limit_bytes:
            self.miss()

    def miss(self) -> None:
        """Says that something was missed."""
        self.whole, self._frames, self._size = False, [], 0

    def behind(self, event_id: int) -> list[Frame]:
        """What came behind an event; all if that is not among them, since it came before."""
        for place in range(len(self._frames), 0, -1):
            if 0 < self._frames[place - 1].id <= event_id:
                return self._frames[place:]
        return list(self._frames)

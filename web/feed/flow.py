"""What one loop sends to clients, counted so cheaply that it can be done for every event."""

from __future__ import annotations

import bisect
import time

from pipeline.event import EPOCH_OFFSET_SECONDS
from web.feed.latency import BOUNDS_SECONDS


class Flow:
    """Frames times clients, bytes, and how long events took; used by one thread alone, hence without a lock."""

    __slots__ = ("classes", "clients", "deliveries", "oldest_id", "seconds", "size_bytes")

    def __init__(self) -> None:
        self.oldest_id = self.clients = 0
        """The first event of what is being told now, and how many clients have got an event of it."""
        self.deliveries = 0
        self.size_bytes = 0
        self.classes = [0] * (len(BOUNDS_SECONDS) + 1)
        self.seconds = 0.0

    def told(self, deliveries: int, size_bytes: int, event_id: int, clients: int) -> None:
        """So much was given to clients; `event_id` (0: none) was the first event of it."""
        self.deliveries += deliveries
        self.size_bytes += size_bytes
        if event_id:
            self.clients += clients
            if not self.oldest_id:
                self.oldest_id = event_id

    def look_at_the_clock(self) -> None:
        """Counts how long it took, since the first event was made by Redis's clock, until all is told."""
        if self.oldest_id:
            seconds = time.time() - self.oldest_id * 1e-6 - EPOCH_OFFSET_SECONDS
            if seconds < 0.0:
                seconds = 0.0
            self.classes[bisect.bisect_left(BOUNDS_SECONDS, seconds)] += self.clients
            self.seconds += seconds * self.clients
            self.oldest_id = self.clients = 0

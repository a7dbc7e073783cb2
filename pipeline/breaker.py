"""A circuit breaker: after some failures in a row nobody asks any more, until one trial has gone well."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable


class Breaker:
    """Closed: everybody may ask. Open: nobody, for `open_seconds`. Half-open: one trial, whose outcome decides.

    Safe to use from several threads, and in a forked child. `clock` is monotonic, in seconds.
    """

    def __init__(self, failures_limit: int, open_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures_limit = max(1, failures_limit)
        self._open_seconds = open_seconds
        self._clock = clock
        self._failures = 0
        self._trial_at = 0.0
        self._lock = threading.Lock()
        """Lets one caller take the trial."""
        self._pid = os.getpid()

    def is_open(self) -> bool:
        """Whether there were too many failures and no success since."""
        return self._failures >= self._failures_limit

    def allows(self) -> bool:
        """Whether the caller may ask now; one that is told yes tells how it went by `succeeded` or `failed`.

        A trial of which nothing is heard counts as failed: its thread may be gone.
        """
        if not self.is_open():
            return True
        if self._clock() < self._trial_at:
            return False
        with self._own_lock():
            now = self._clock()
            if not self.is_open():
                return True
            if now < self._trial_at:
                return False
            self._trial_at = now + self._open_seconds
            return True

    def wait_seconds(self) -> float:
        """How long until the next trial; 0 when the caller may ask now."""
        return max(0.0, self._trial_at - self._clock()) if self.is_open() else 0.0

    def succeeded(self) -> None:
        """The other side has answered."""
        if self._failures:
            with self._own_lock():
                self._failures = 0

    def failed(self) -> None:
        """The other side has not answered."""
        with self._own_lock():
            self._failures += 1
            if self.is_open():
                self._trial_at = self._clock() + self._open_seconds

    def _own_lock(self) -> threading.Lock:
        # A fork copies the lock as it was, but not the thread that would let it go.
        if self._pid != os.getpid():
            self._lock = threading.Lock()
            self._pid = os.getpid()
        return self._lock

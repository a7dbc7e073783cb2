"""Work that waits for Redis or the database, done by a few threads beside the loop."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from pipeline.errors import SpanfeedError

logger = logging.getLogger(__name__)
_READY_LIMIT = 256
Done = Callable[[Any], None]


class Errands:
    """Calls that are made elsewhere and whose results come back to the loop: what was given, or what was raised.

    The number of errands under way is bounded by who asks: a client has one at a time for each of its sessions, and
    one for each further session that it asks for.
    """

    def __init__(self, threads: int) -> None:
        self._asked: queue.SimpleQueue[tuple[Callable[[], Any], Done]] = queue.SimpleQueue()
        self._done: collections.deque[tuple[Done, Any]] = collections.deque()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        for number in range(max(1, threads)):
            threading.Thread(target=self._work, name=f"errands-{number}", daemon=True).start()

    def fileno(self) -> int:
        """The descriptor that can be read when there are results, or when `wake` was called."""
        return self._wake_in

    def wake(self) -> None:
        """Wakes the loop; may be called by a signal's handler."""
        # A full pipe has woken it already.
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_out, b"x")

    def ask(self, call: Callable[[], Any], done: Done) -> None:
        """Has `call` made by a thread; the loop gives `done` what came of it."""
        self._asked.put((call, done))

    def _work(self) -> None:
        while True:
            call, done = self._asked.get()
            result: Any
            try:
                result = call()
            except SpanfeedError as error:
                result = error
            except Exception as error:
                logger.error("an errand failed", exc_info=error)
                result = error
            self._done.append((done, result))
            self.wake()

    def hear(self) -> None:
        """Takes note of having been woken, once the descriptor can be read; then the results must be brought."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_in, 65_536)

    def bring(self) -> bool:
        """Gives some results to who asked; True when more are left."""
        for _ in range(_READY_LIMIT):
            if not self._done:
                return False
            done, result = self._done.popleft()
            done(result)
        return bool(self._done)

"""Whether this process is about to end: told at once to feeds and requests that would otherwise wait on."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Closing:
    """The end of one process, announced once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Guards the listeners; never taken by the main thread but in `begin`, which a signal runs there."""
        self._told: list[Callable[[], None]] = []
        self.begun = False

    def begin(self) -> None:
        """Announces the end. May be called by a signal's handler, and more than once."""
        self.begun = True
        # Under the lock, so that nobody is told who is gone: a descriptor to write to may be another's by then.
        with self._lock:
            for tell in self._told:
                tell()

    @contextlib.contextmanager
    def telling(self, tell: Callable[[], None]) -> Iterator[None]:
        """Calls `tell`, which must not wait, when the end begins while the block runs.

        Whoever comes later looks at `begun` first.
        """
        with self._lock:
            self._told.append(tell)
        try:
            yield
        finally:
            with self._lock:
                self._told.remove(tell)

    def begin_at(self, number: signal.Signals) -> None:
        """Announces the end when the signal comes, before what the process does at it otherwise."""
        before = signal.getsignal(number)

        def announce(came: int, frame: FrameType | None) -> None:
            self.begin()
            if callable(before):
                before(came, frame)

        signal.signal(number, announce)
        # As gunicorn has it: the signal is not to break off what other threads read or write.
        signal.siginterrupt(number, False)


closing = Closing()
"""This process's end."""

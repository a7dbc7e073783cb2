"""The emitter: tells the bus what is not a stage's begin or end, without ever holding the work up.

While Redis does not answer, what is emitted goes into the spool. A thread, which lives only while something waits
there, sends it in order once Redis is back; until it is done, new events go behind the others. The thread also
sends what dead processes have left. It is a daemon: what waits when its process ends is sent by another.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref

from pipeline.breaker import Breaker
from pipeline.bus import Bus
from pipeline.errors import BusRefused, BusUnavailable
from pipeline.event import Identity, State
from pipeline.late import Append, Emit, Progress, packed
from pipeline.left_spools import left_spools
from pipeline.settings import Settings
from pipeline.spool import Spool
from pipeline.spool_sender import SpoolSender

logger = logging.getLogger(__name__)
KEPT = 0
"""What `append` and `progress` give instead of an id when the event waits in the spool."""
_CLOSE_SECONDS = 5.0
_SETTLE_POLL_SECONDS = 0.005


class Emitter:
    """A bus's `append` and `progress`, with a circuit breaker and a spool. Safe in several threads and after a fork.

    Both raise InvalidEvent and BusRefused, which are errors of the program, and never BusUnavailable.
    """

    def __init__(self, bus: Bus) -> None:
        self.settings: Settings = bus.settings
        self._bus = bus
        self._folder = self.settings.home_path / "spool"
        self._limits = (self._folder, self.settings.spool_limit_bytes, self.settings.spool_files_limit)
        self._newest_id = 0
        self._begin()
        _ALL.add(self)

    def _begin(self) -> None:
        """With nothing of another process: at the start, and in a child after its fork."""
        settings = self.settings
        self._breaker = Breaker(settings.breaker_failures_limit, settings.breaker_open_ms / 1000)
        self._spool = Spool(*self._limits)
        self._adopted: Spool | None = None
        self._last_at_us = 0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        """Guards the thread's making and ending, and the last time."""
        self._thread: threading.Thread | None = None

    def after_fork(self) -> None:
        """Leaves the files to the parent and begins anew; only for a forked child."""
        for spool in filter(None, (self._spool, self._adopted)):
            spool.let_go()
        self._begin()

    def close(self) -> None:
        """Ends the thread; what waits is left to another process."""
        self._stopped.set()
        thread = self._thread
        if thread is not None:
            thread.join(_CLOSE_SECONDS)
        if thread is None or not thread.is_alive():
            self._spool.let_go()

    @property
    def pending(self) -> bool:
        """Whether something of this process waits to be sent."""
        return self._spool.pending

    def append(
        self,
        identity: Identity,
        state: State,
        emitter_key: str,
        audience: str = "user",
        took_ms: int | None = None,
        ordinary_span: tuple[str, str] | None = None,
        failed_text: str | None = None,
    ) -> int | None:
        """As `Bus.append`; KEPT when the event waits in the spool, None when it is lost, which a `gap` will tell."""
        return self._emit(Append(identity, state, emitter_key, audience, took_ms, ordinary_span, failed_text))

    def progress(self, session_id: str, message_id: str, token: str, span: str, state: State) -> int | None:
        """As `Bus.progress`: None also when it is refused; KEPT when the event waits in the spool."""
        return self._emit(Progress(session_id, message_id, token, span, state))

    def settle(self) -> bool:
        """Waits until what this process has spooled is sent; False when that takes longer than the settings allow.

        A stage calls it before it closes a span, so that its progress is not refused for coming behind that. While
        Redis is away nothing can be closed either, so that time costs nothing.
        """
        began = now = time.monotonic()
        deadline = now + self.settings.spool_settle_ms / 1000
        while self._spool.pending:
            now = time.monotonic()
            if self._breaker.is_open():
                deadline = now + self.settings.spool_settle_ms / 1000
            if now >= min(deadline, began + self.settings.script_deadline_seconds):
                return False
            time.sleep(_SETTLE_POLL_SECONDS)
        return True

    def adopt(self) -> None:
        """Sends what dead processes have left, in the thread; gives back at once."""
        with contextlib.suppress(OSError):
            if self._thread is None and next(self._folder.glob("*.spool"), None) is not None:
                self._ensure_thread()

    def _emit(self, emit: Emit) -> int | None:
        after, tried = self._newest_id, False
        if not self._spool.pending and self._breaker.allows():
            try:
                return self._send(emit)
            except BusUnavailable as error:
                tried = True
                logger.warning("an event waits in the spool: %s", error)
        else:
            emit.check()
        with self._lock:
            # An event's time is what tells it from one that says the same.
            self._last_at_us = at_us = max(self._last_at_us + 1, time.time_ns() // 1000)
            kept = self._spool.keep(packed(emit, at_us, tried, after, self._bus.redactor))
        self._ensure_thread()
        return KEPT if kept else None

    def _send(self, emit: Emit) -> int | None:
        try:
            found = emit.send(self._bus)
        except BusUnavailable:
            self._breaker.failed()
            raise
        except BusRefused:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        self._newest_id = max(self._newest_id, found or 0)
        return found

    # The thread

    def _ensure_thread(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="emitter", daemon=True)
                # A process that is ending starts no threads: then another process finds the file.
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def _work(self) -> None:
        sender = SpoolSender(self._bus, self._breaker, self._stopped)
        while not self._stopped.is_set():
            try:
                sender.send(self._spool)
                self._newest_id = max(self._newest_id, sender.newest_id)
                for spool in left_spools(*self._limits):
                    self._adopted = spool
                    sender.send(spool, left=True)
            except BusUnavailable:
                break
            except Exception:
                # Whatever it was, what waits must not wait for ever, nor be tried at once without end.
                logger.exception("the emitter stumbled")
                self._stopped.wait(self.settings.breaker_open_ms / 1000)
            self._adopted = None
            with self._lock:
                if not self._spool.pending:
                    self._thread = None
                    return


_ALL: weakref.WeakSet[Emitter] = weakref.WeakSet()


def _after_fork() -> None:
    for emitter in list(_ALL):
        emitter.after_fork()


os.register_at_fork(after_in_child=_after_fork)

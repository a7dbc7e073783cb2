"""The loop that starts children again when they die, and ends all of them when asked."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from web.up.child import Child, Spec
from web.up.failures import StartFailed, StopRequested
from web.up.guardian import Guardian
from web.up.logs import DEFAULT_LIMIT_BYTES, BoundedLog
from web.up.terminal import Terminal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEATHS_BEFORE_READY_LIMIT = 3
_POLL_SECONDS = 0.05
_IDLE_SECONDS = 60.0
# After SIGKILL only the kernel's own work is left to wait for.
_KILLED_SECONDS = 0.6
# `make`, a shell and a terminal may all pass the same Ctrl-C on; only a later one is a second one.
_SAME_REQUEST_SECONDS = 0.3


class Supervisor:
    """Starts, watches, restarts and ends children; a context manager, on the main thread only.

    `logs`: the folder of their log files. `keep_open`: descriptors that stay open until the last
    child has ended, even when the supervisor is killed.
    """

    def __init__(
        self,
        logs: Path,
        terminal: Terminal,
        keep_open: tuple[int, ...] = (),
        log_limit_bytes: int = DEFAULT_LIMIT_BYTES,
    ) -> None:
        self._logs = logs
        self._terminal = terminal
        self._log_limit_bytes = log_limit_bytes
        self._children: list[Child] = []
        self._guardian = Guardian(keep_open)
        self._selector = selectors.DefaultSelector()
        self._exit = contextlib.ExitStack()
        self._asked_at: float | None = None
        self._at_once = False
        self._ending = False

    def __enter__(self) -> Self:
        listen, wake = socket.socketpair()
        for end in (listen, wake):
            end.setblocking(False)
            self._exit.callback(end.close)
        self._selector.register(listen, selectors.EVENT_READ, listen)
        self._exit.callback(self._selector.close)
        before = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._exit.callback(signal.set_wakeup_fd, before)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            handler = signal.getsignal(number)
            # Under nohup a closed terminal is none of our business.
            if number != signal.SIGHUP or handler != signal.SIG_IGN:
                signal.signal(number, self._on_signal)
                self._exit.callback(signal.signal, number, handler or signal.SIG_DFL)
        self._exit.callback(self._guardian.close)
        self._guardian.watch([])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._exit:
            self._stop()

    def start(self, spec: Spec) -> Child:
        """Start a child that shall live as long as the supervisor.

        Raises StartFailed when its program cannot be run.
        """
        return self._add(Child(spec, self._log(spec)))

    def run(self, spec: Spec, deadline_seconds: float) -> None:
        """Run a child that ends by itself, and wait for that.

        Raises StartFailed when it ends with another status than 0, or not in time.
        """
        child = self._add(Child(spec, self._log(spec), once=True))
        if not self.wait_until(lambda: child.deaths > 0, deadline_seconds):
            raise StartFailed(f"{spec.name} did not end within {deadline_seconds:g} s", child.recent)
        if child.status != 0:
            raise StartFailed(f"{spec.name} ended with {child.reason}", child.recent)

    def wait_until(self, condition: Callable[[], bool], deadline_seconds: float) -> bool:
        """Watch over the children until `condition` holds (True) or the deadline has passed (False).

        Raises StopRequested on a signal, StartFailed when a child keeps dying meanwhile.
        """
        deadline = time.monotonic() + deadline_seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._turn(_POLL_SECONDS)
            for child in self._children:
                if not child.once and child.deaths >= DEATHS_BEFORE_READY_LIMIT:
                    raise StartFailed(f"{child.spec.name} keeps ending, last with {child.reason}", child.recent)
        return True

    def watch(self) -> None:
        """Watch over the children until a signal asks to end; that raises StopRequested."""
        while True:
            self._turn(_IDLE_SECONDS)

    def _log(self, spec: Spec) -> BoundedLog:
        return BoundedLog(self._logs / f"{spec.name}.log", self._log_limit_bytes)

    def _add(self, child: Child) -> Child:
        self._children.append(child)
        self._exit.callback(child.close)
        try:
            self._launch(child)
        except OSError as error:
            raise StartFailed(f"{child.spec.argv[0]} cannot be run: {error.strerror}") from None
        return child

    def _launch(self, child: Child) -> None:
        child.start()
        if child.output is not None:
            self._selector.register(child.output, selectors.EVENT_READ, child)
        self._tell_guard()

    def _tell_guard(self) -> None:
        self._guardian.watch(c.process_id for c in self._children if c.process_id is not None)

    def _turn(self, longest_seconds: float) -> None:
        """Wait for something to happen, and deal with it."""
        if self._asked_at is not None and not self._ending:
            raise StopRequested
        now = time.monotonic()
        waits = [c.starts_at - now for c in self._children if c.starts_at is not None and not self._ending]
        for key, _ in self._selector.select(max(0.0, min([longest_seconds, *waits]))):
            if isinstance(key.data, Child):
                self._show(key.data, key.data.read())
                if key.data.silent:
                    self._selector.unregister(key.fd)
            else:
                with contextlib.suppress(BlockingIOError):
                    key.data.recv(4096)
        for child in self._children:
            if child.ended:
                self._bury(child)
            elif child.starts_at is not None and child.starts_at <= time.monotonic() and not self._ending:
                self._start_again(child)
        self._tell_guard()

    def _show(self, child: Child, lines: list[bytes]) -> None:
        for line in lines:
            self._terminal.line(child.spec.name, line)

    def _bury(self, child: Child) -> None:
        if child.output is not None and not child.silent:
            self._selector.unregister(child.output)
        self._show(child, child.bury())
        if child.once or self._ending:
            return
        child.starts_at = time.monotonic() + child.delay
        if child.delay > 1:
            log = self._logs / f"{child.spec.name}.log"
            self._terminal.say(f"{child.spec.name} ended with {child.reason}; next try in {child.delay:g} s ({log})")

    def _start_again(self, child: Child) -> None:
        try:
            self._launch(child)
        except OSError as error:
            child.starts_at = time.monotonic() + child.delay
            self._terminal.say(f"{child.spec.name} cannot be started: {error.strerror}")
            return
        ended = "" if child.delay > 1 else f"ended with {child.reason}; "
        self._terminal.say(f"{child.spec.name} {ended}started again")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number not in STOP_SIGNALS:
            return
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
        elif number == signal.SIGINT and now - self._asked_at > _SAME_REQUEST_SECONDS:
            self._at_once = True

    def _stop(self) -> None:
        """End every child, in order, each within the seconds of its spec."""
        self._ending = True
        if self._asked_at is not None:
            self._terminal.say("\nEnding; Ctrl-C again ends at once.")
        began = self._asked_at or time.monotonic()
        for limit in sorted({child.spec.stop_by_seconds for child in self._children}):
            batch = [child for child in self._children if child.spec.stop_by_seconds == limit]
            for child in batch:
                child.terminate()
            self._turn_while(batch, began + limit)
            for child in batch:
                child.kill()
        self._at_once = False
        self._turn_while(self._children, time.monotonic() + _KILLED_SECONDS)

    def _turn_while(self, batch: list[Child], until: float) -> None:
        while any(c.process_id is not None for c in batch) and not self._at_once and time.monotonic() < until:
            self._turn(_POLL_SECONDS)

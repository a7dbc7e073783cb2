"""The gate before a run's third step: the benchmark sees who came and when, and lets it pass or kills it.

It is a Unix socket that a step connects to; the standard library is enough, since the peers' programs use it too.
While the socket's file is missing, as when runs are counted, every step passes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

PATH = "BENCHMARK_GATE"
"""The environment variable that names the socket's file."""

_WAIT_SECONDS = 80
_ID_BYTES = 200


def pass_gate(run_id: str) -> None:
    """Called by a run's third step: comes back when the step may go on."""
    path = os.environ.get(PATH, "")
    if not path or not os.path.exists(path):  # noqa: PTH110 - a tenth of what a Path costs
        return
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_WAIT_SECONDS)
        connection.connect(path)
        connection.sendall(run_id.encode())
        connection.recv(1)


@dataclasses.dataclass(frozen=True)
class Arrival:
    """A step that waits at the gate: of which run, in which process, since when (by the monotonic clock)."""

    run_id: str
    process_id: int
    at: float
    connection: socket.socket

    def go(self) -> None:
        """Lets it pass, if it still lives."""
        with self.connection, contextlib.suppress(OSError):
            self.connection.sendall(b"g")

    def drop(self) -> None:
        """Forgets it: its process is no more."""
        self.connection.close()


class Gate:
    """One side's gate. It is open but for `shut`; `close` takes it away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._shut = False
        threading.Thread(target=self._accept, name="gate", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            at = time.monotonic()
            process_id, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            connection.settimeout(1)
            with contextlib.suppress(OSError):
                run_id = connection.recv(_ID_BYTES).decode()
                arrival = Arrival(run_id, process_id, at, connection)
                if self._shut:
                    self._arrivals.put(arrival)
                else:
                    arrival.go()

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """Within the block, who comes waits for `next`."""
        self._shut = True
        try:
            yield
        finally:
            self._shut = False

    def next(self, run_id: str, seconds: float) -> Arrival:
        """The run's next arrival; other runs pass. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                arrival = self._arrivals.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"the step did not begin within {seconds:g} s") from None
            if arrival.run_id == run_id:
                return arrival
            arrival.go()

    def close(self) -> None:
        """From now on every step passes."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

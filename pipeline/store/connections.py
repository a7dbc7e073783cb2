"""SQLite connections, one for each thread and never across a fork, closed when their thread has ended."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable


class _Held(threading.local):
    connection: sqlite3.Connection | None = None
    pid: int = 0


@dataclasses.dataclass
class _Opened:
    """Every connection that was opened, to be closed when its thread has ended or its owner goes."""

    entries: list[tuple[weakref.ref[threading.Thread], sqlite3.Connection, int]] = dataclasses.field(
        default_factory=list
    )
    # Held while the list changes: a thread may open while another closes all.
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def add(self, connection: sqlite3.Connection) -> None:
        self.close(ended_only=True)
        with self.lock:
            self.entries.append((weakref.ref(threading.current_thread()), connection, os.getpid()))

    def close(self, ended_only: bool = False) -> None:
        kept = []
        with self.lock:
            for entry in self.entries:
                thread = entry[0]()
                # A forked child keeps its parent's connections: closing them there could disturb the parent's file.
                if entry[2] != os.getpid() or (ended_only and thread is not None and thread.is_alive()):
                    kept.append(entry)
                else:
                    entry[1].close()
            self.entries[:] = kept


class ThreadConnections:
    """Gives each thread a connection of its own, opened by `connect` at first use and again after a fork."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._held = _Held()
        self._opened = _Opened()
        weakref.finalize(self, self._opened.close)

    def get(self) -> sqlite3.Connection:
        """This thread's connection. Raises what `connect` raises."""
        held, pid = self._held, os.getpid()
        if held.connection is None or held.pid != pid:
            held.connection, held.pid = self._connect(), pid
            self._opened.add(held.connection)
        return held.connection

    def close(self) -> None:
        """Closes the connections of all threads of this process; a later `get` opens again."""
        self._opened.close()
        self._held = _Held()

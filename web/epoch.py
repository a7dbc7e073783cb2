"""Noticing that Redis has lost data: emptied, or restored from an older state. No Flask.

The database knows how far the log was stored, and in which epoch. Before more is stored, and every second, the log is
compared with that. An epoch that the database does not know is told to the operators.
"""

from __future__ import annotations

import logging
import time

from pipeline.bus import Bus
from pipeline.event import Category, Identity, Priority, State
from pipeline.store import Store, marks

logger = logging.getLogger(__name__)
_LOOK_EVERY_SECONDS = 1.0
_SENTENCE = "Redis has lost data, or is another one: feeds begin anew, and what was not stored is lost."


class EpochWatch:
    """Compares the log with what is stored; several may do so beside each other."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store
        self._look_at = 0.0

    def look(self) -> None:
        """Checks, at most once a second. Raises BusUnavailable or StoreUnavailable."""
        if time.monotonic() >= self._look_at:
            self.check()

    def check(self) -> None:
        """Lets ids go on behind what is stored, and tells of a new epoch. Raises BusUnavailable or StoreUnavailable."""
        mark = marks.read(self._store)
        epoch = self._bus.lift(mark.newest_id, mark.epoch)
        if epoch != mark.epoch:
            if mark.epoch is not None:
                self._tell(mark.epoch, epoch)
            marks.note_epoch(self._store, mark, epoch)
        self._look_at = time.monotonic() + _LOOK_EVERY_SECONDS

    def mark(self, newest_id: int) -> None:
        """Tells the log how far it is stored; must come before that is acknowledged. Raises BusUnavailable."""
        self._bus.lift(newest_id, None)

    def _tell(self, old: str, epoch: str) -> None:
        identity = Identity("system.alert", Category.MONITORING, Priority.CRITICAL, source_system="monitoring")
        state = State(None, _SENTENCE, {"alert": "log_lost", "old_epoch": old, "epoch": epoch})
        # Several recorders notice it, and one of them may die before it has noted it: the key makes one event of it.
        self._bus.append(identity, state, emitter_key=f"epoch:{epoch}", audience="operator")
        logger.error("%s", _SENTENCE)

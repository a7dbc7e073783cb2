"""What happens in the sessions: a thread that appends events at a steady rate, whatever dies meanwhile."""

from __future__ import annotations

import collections
import random
import threading
import time
import uuid

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable
from pipeline.event import Category, Identity, Priority, State, Status

_KINDS = (
    ("agent_thinking", Status.STARTED),
    ("tool_search_documents", Status.COMPLETED),
    ("tool_search_documents", Status.FAILED),
    ("response_generation", Status.PROGRESS),
)
_AGAIN_SECONDS = 0.05
_TRIES_LIMIT = 600


class Feeder(threading.Thread):
    """Appends until `stop`; an event whose fate is unknown is appended again under its own key."""

    def __init__(self, bus: Bus, sessions: list[str], per_second: float, dice: random.Random) -> None:
        super().__init__(daemon=True, name="feeder")
        self._bus = bus
        self._sessions = sessions
        self._pause = 1 / per_second
        self._dice = dice
        self._stopped = threading.Event()
        self.emitted: dict[str, list[int]] = collections.defaultdict(list)
        """The ids that were acknowledged, by session."""
        self.repeats = 0
        """How often an append had to be tried again."""

    def run(self) -> None:
        """Appends; what was missed while a server was away is not made up for at once."""
        due = time.monotonic()
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause, time.monotonic() - 0.5)
            session_id = self._dice.choice(self._sessions)
            kind, status = self._dice.choice(_KINDS)
            identity = Identity(kind, Category.WORKFLOW, Priority.NORMAL, session_id=session_id, message_id="m-1")
            state = State(status, "said", {"text": "x" * self._dice.choice((0, 100, 2_000))})
            self.emitted[session_id].append(self._append(identity, state))

    def _append(self, identity: Identity, state: State) -> int:
        key = uuid.uuid4().hex
        for _ in range(_TRIES_LIMIT):
            try:
                return self._bus.append(identity, state, emitter_key=key)
            except BusUnavailable:
                self.repeats += 1
                time.sleep(_AGAIN_SECONDS)
        raise AssertionError("Redis did not come back")

    def stop(self) -> None:
        """Ends once the event at hand is appended."""
        self._stopped.set()
        self.join(60)
        assert not self.is_alive(), "the feeder hangs"

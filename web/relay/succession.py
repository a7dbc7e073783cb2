"""How a relay comes after another one, and how another one comes after it: both sides, beside everything else."""

from __future__ import annotations

import socket
from collections.abc import Callable

from pipeline.failpoints import Failpoints
from web.feed.tally import tally
from web.relay import sockets
from web.relay.crowd import Crowd
from web.relay.giving import Giving, Outcome
from web.relay.taking import Taking


class Succession:
    """Used by the loop alone.

    `watch` and `forget` have the loop wait for a descriptor, `mark` is that of `Giving`; `open_door` lets web processes
    in, `close_door` no more, and says whether nobody is in. `failed` is called when a successor was there and is gone.
    """

    def __init__(
        self,
        crowd: Crowd,
        watch: Callable[[int, Callable[[], object]], None],
        forget: Callable[[int], None],
        mark: Callable[[], bool],
        open_door: Callable[[], None],
        close_door: Callable[[], bool],
        failpoints: Failpoints,
    ) -> None:
        self._crowd = crowd
        self._watch = watch
        self._forget = forget
        self._mark = mark
        self._open_door = open_door
        self._close_door = close_door
        self._failpoints = failpoints
        self._giving: Giving | None = None
        self._taking: Taking | None = None
        self.failed: Callable[[], None] = lambda: None
        self.outcome: Outcome | None = None
        """How a successor's coming ended; a relay ends when it was not a failure."""
        self.successor = 0
        """The id of the process that has come last for everything."""
        self.taken = 0
        """How many clients were taken over from another relay."""

    @property
    def is_under_way(self) -> bool:
        """Whether clients are taken over, or given."""
        return self._giving is not None or self._taking is not None

    @property
    def is_giving(self) -> bool:
        """Whether clients are given to a successor."""
        return self._giving is not None

    def _hang_up(self, connection: socket.socket) -> Callable[[], None]:
        def end() -> None:
            self._forget(connection.fileno())
            connection.close()

        return end

    def take(self, predecessor: socket.socket) -> None:
        """Begins to take over from the relay that is there."""
        predecessor.setblocking(False)
        hang_up = self._hang_up(predecessor)
        self._taking = Taking(predecessor, hang_up, self._crowd.moves, self._open_door, self._failpoints)
        self._watch(predecessor.fileno(), self._taking.hear)
        self._taking.begin()

    def give(self, successor: socket.socket, version: str) -> bool:
        """Begins to give everything to a successor, whose connection is watched from now on.

        False when another succession is under way.
        """
        if self.is_under_way:
            return False
        self.successor = sockets.peer_process(successor)
        self._giving = Giving(
            successor,
            self._hang_up(successor),
            self._crowd.clients,
            self._crowd.moves,
            self._mark,
            self._close_door,
        )
        self._watch(successor.fileno(), self._giving.hear)
        self._giving.begin(version)
        return True

    def marked(self) -> None:
        """Redis has given the mark that was asked for."""
        if self._giving is not None:
            self._giving.marked()

    def look_at_the_clock(self, now: float) -> None:
        """Does what is due."""
        if self._taking is not None:
            self._taking.look_at_the_clock(now)
            if self._taking.over:
                self.taken += self._taking.taken
                tally.count("moved:taken", self._taking.taken)
                self._taking = None
        if self._giving is not None:
            self._giving.look_at_the_clock(now)
            if self._giving.outcome is not None:
                self._end(self._giving.outcome)

    def _end(self, outcome: Outcome) -> None:
        tally.count("moved:given", 0 if self._giving is None else self._giving.given)
        self._giving = None
        if outcome is Outcome.FAILED:
            # Web processes may find a door of the one that is gone.
            self._close_door()
            self._open_door()
            self.failed()
        else:
            self.outcome = outcome

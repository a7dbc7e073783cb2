"""A succession from the old relay's side: all its clients go to the new one, some at a time."""

from __future__ import annotations

import enum
import logging
import socket
import time
from collections.abc import Callable, Mapping

from web.relay import moving, parcels
from web.relay.client import Client
from web.relay.moves import Moves
from web.relay.moving import Luggage

logger = logging.getLogger(__name__)
_ANSWER_SECONDS = 10.0
_MARK_SECONDS = 2.0
_PARCEL_LIMIT_BYTES = 1_048_576


class Outcome(enum.Enum):
    """How a succession ended: all are given; the new relay reads another language; it is gone."""

    GIVEN = enum.auto()
    REFUSED = enum.auto()
    FAILED = enum.auto()


class Giving:
    """Every call returns at once.

    The successor follows all channels before it says that it is ready. What was announced before that is read here, up
    to a mark; what comes after it is kept there. So nothing is missed between the two.

    `hang_up` ends the connection. `mark` asks Redis for a mark in what it announces, False when Redis is away; the
    reactor calls `marked` when it has come. `close_door` lets nobody in any more; True when nobody is in either.
    """

    def __init__(
        self,
        connection: socket.socket,
        hang_up: Callable[[], None],
        clients: Mapping[int, Client],
        moves: Moves,
        mark: Callable[[], bool],
        close_door: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._hang_up = hang_up
        self.outcome: Outcome | None = None
        self._clients = clients
        self._moves = moves
        self._mark = mark
        self._close_door = close_door
        self._on_the_way: list[tuple[socket.socket, Luggage]] = []
        self.given = 0
        self._answer_by: float | None = None
        self._marked_by: float | None = None
        self._sure = self._gives = False

    def begin(self, version: str) -> None:
        """Answers a successor that asks for all clients."""
        if version == moving.VERSION:
            self._say(parcels.CHANNELS, moving.pack_channels(self._moves.channels))
        else:
            logger.warning("the next relay does not understand this one: clients will come to it by themselves")
            self._say(parcels.REFUSED)

    def hear(self) -> None:
        """Takes what the successor says."""
        try:
            word, _, _ = parcels.receive(self._connection)
        except BlockingIOError:
            return
        except OSError:
            word = b""
        self._answer_by = None
        if word == parcels.READY and self._marked_by is None:
            self._marked_by = time.monotonic() + _MARK_SECONDS
            if not self._mark():
                self._give(sure=False)
        elif word == parcels.TAKEN and self._on_the_way:
            self.given += len(self._on_the_way)
            for sock, _ in self._on_the_way:
                sock.close()
            self._on_the_way = []
            self.go_on()
        elif word == parcels.END:
            self._end(Outcome.REFUSED)
        else:
            self._end(Outcome.FAILED)

    def marked(self) -> None:
        """All that was announced before the successor was ready is read and told."""
        if self._marked_by is not None and not self._gives:
            self._give(sure=True)

    def _give(self, sure: bool) -> None:
        self._gives, self._sure = True, sure
        self.go_on()

    def go_on(self) -> None:
        """Gives the next clients, unless some are on their way."""
        if not self._gives or self._on_the_way or self.outcome is not None:
            return
        nobody_comes = self._close_door()
        size = 0
        for client in [one for one in self._clients.values() if not one.reader.closing]:
            luggage = self._moves.out(client, self._sure)
            self._on_the_way.append((client.sock, luggage))
            size += luggage.size
            if len(self._on_the_way) >= parcels.SOCKETS_LIMIT or size >= _PARCEL_LIMIT_BYTES:
                break
        if self._on_the_way:
            self._say(parcels.CLIENTS, moving.pack_clients([one for _, one in self._on_the_way]))
        elif nobody_comes:
            self._say(parcels.DONE)
            self._end(Outcome.GIVEN)

    def _say(self, word: bytes, data: bytes = b"") -> None:
        self._answer_by = time.monotonic() + _ANSWER_SECONDS
        try:
            parcels.send(self._connection, word, data, [sock for sock, _ in self._on_the_way])
        except OSError:
            self._end(Outcome.FAILED)

    def look_at_the_clock(self, now: float) -> None:
        """Waits for nobody for ever."""
        if self._answer_by is not None and now >= self._answer_by:
            self._end(Outcome.FAILED)
        elif self._marked_by is not None and now >= self._marked_by and not self._gives:
            self._give(sure=False)
        else:
            self.go_on()

    def _end(self, outcome: Outcome) -> None:
        if self.outcome is not None:
            return
        self.outcome = outcome
        # First closed: a successor that is only slow must find that nobody has heard its last word.
        self._hang_up()
        returned, self._on_the_way = self._on_the_way, []
        for sock, luggage in returned:
            try:
                self._moves.into(sock, luggage)
            except OSError:
                sock.close()
        self._moves.expect_no_more()
        if outcome is Outcome.FAILED:
            logger.error("the next relay has taken %d feeds and is gone: the others stay here", self.given)
        else:
            logger.info("the next relay has taken %d feeds", self.given)

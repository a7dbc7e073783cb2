"""A succession from the new relay's side: it follows what the old one's clients read, then takes them over."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable

from pipeline.failpoints import Failpoints
from web.relay import moving, orders, parcels
from web.relay.moves import Moves

logger = logging.getLogger(__name__)
_FIRST_WORD_SECONDS = 3.0
_CONFIRM_SECONDS = 2.0
_NEXT_WORD_SECONDS = 15.0


class Taking:
    """Every call returns at once.

    `open_door` lets web processes in from then on; it is called once, whatever comes.

    `hang_up` ends the connection.
    """

    def __init__(
        self,
        connection: socket.socket,
        hang_up: Callable[[], None],
        moves: Moves,
        open_door: Callable[[], None],
        failpoints: Failpoints,
    ) -> None:
        self._connection = connection
        self._hang_up = hang_up
        self.over = False
        self.taken = 0
        self._moves = moves
        self._open_door = open_door
        self._failpoints = failpoints
        self._is_open = False
        self._hear_by = time.monotonic() + _FIRST_WORD_SECONDS
        self._confirm_by: float | None = None

    def begin(self) -> None:
        """Asks the old relay for all its clients."""
        try:
            self._connection.send(orders.succession(moving.VERSION))
        except OSError:
            self._end()

    def hear(self) -> None:
        """Takes what the old relay says."""
        try:
            word, data, sockets = parcels.receive(self._connection)
        except BlockingIOError:
            return
        except OSError as error:
            logger.warning("the relay before was not understood: %s", error)
            self._end()
            return
        self._hear_by = time.monotonic() + _NEXT_WORD_SECONDS
        try:
            self._do(word, data, sockets)
        except (OSError, ValueError, KeyError) as error:
            logger.warning("the relay before was not understood: %s", error)
            self._end()
        finally:
            for sock in sockets:
                sock.close()

    def _do(self, word: bytes, data: bytes, sockets: list[socket.socket]) -> None:
        if word == parcels.CHANNELS:
            self._moves.expect(moving.read_channels(data))
            self._confirm_by = time.monotonic() + _CONFIRM_SECONDS
        elif word == parcels.CLIENTS and self._is_open:
            clients = moving.read_clients(data)
            if len(clients) != len(sockets):
                raise ValueError("not all sockets have come")
            self._failpoints.reach("relay.taking")
            self._connection.send(parcels.TAKEN)
            self._failpoints.reach("relay.taken")
            for luggage in clients:
                self._take(sockets.pop(0), luggage)
        elif word == parcels.REFUSED:
            self._open()
            self._connection.send(parcels.END)
            self._end()
        else:
            self._end()

    def _take(self, sock: socket.socket, luggage: moving.Luggage) -> None:
        try:
            self._moves.into(sock, luggage)
            self.taken += 1
        except Exception:
            # One that cannot be served must not be the end of the others: its client comes back.
            logger.exception("a client could not be taken over")
            sock.close()

    def look_at_the_clock(self, now: float) -> None:
        """Opens the door when all channels are followed, or cannot be; waits for nobody for ever."""
        if self._confirm_by is not None and (now >= self._confirm_by or not self._moves.awaits_redis):
            self._confirm_by = None
            self._open()
            try:
                self._connection.send(parcels.READY)
            except OSError:
                self._end()
        elif now >= self._hear_by:
            self._end()

    def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._open_door()

    def _end(self) -> None:
        if not self.over:
            self.over = True
            self._open()
            self._moves.expect_no_more()
            self._hang_up()
            logger.info("%d feeds were taken over", self.taken)

"""Where web processes come with sockets: asking for a place, then giving one socket each."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from web.access import Rights
from web.feed.seats import Claim, Seats
from web.feed.wish import Wish
from web.relay import orders, sockets

logger = logging.getLogger(__name__)
_DESCRIPTORS_LIMIT = 4
_ACCEPTED_LIMIT = 64
_PREDECESSOR_SECONDS = 1.0
Admit = Callable[[socket.socket, Wish, Rights, Claim, bytes], None]


class Visitor:
    """A web process's connection, for one socket; or a successor's, for all of them."""

    __slots__ = ("claim", "connection", "succeeds")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.claim: Claim | None = None
        """For whom a place is kept."""
        self.succeeds: str | None = None
        """Of which version the relay is that wants all clients."""


class Door:
    """The listening socket, once it is open, and who has come in; every call returns at once."""

    def __init__(self, place: Path, name: str, seats: Seats, admit: Admit, figures: Callable[[], bytes]) -> None:
        self._place = place
        self._name = name
        self._seats = seats
        self._admit = admit
        self._figures = figures
        self.listener: socket.socket | None = None
        self._inode = 0

    def predecessor(self) -> socket.socket | None:
        """A connection to the relay that is there, if one is."""
        try:
            return sockets.connected(self._place, self._name, _PREDECESSOR_SECONDS)
        except OSError:
            return None

    def open(self) -> socket.socket:
        """Lets everybody in from now on, in place of whoever did before. Raises OSError."""
        self.listener = sockets.listening(self._place, self._name)
        self._inode = (self._place / self._name).stat().st_ino
        return self.listener

    def accept(self) -> list[Visitor]:
        """Who has come."""
        found: list[Visitor] = []
        while self.listener is not None and len(found) < _ACCEPTED_LIMIT:
            try:
                connection, _ = self.listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                logger.warning("a web process could not be let in: %s", error.strerror)
                break
            connection.setblocking(False)
            if sockets.peer_is_us(connection):
                found.append(Visitor(connection))
            else:
                connection.close()
        return found

    def hear(self, visitor: Visitor) -> bool:
        """Answers what a visitor has said; False when it is to be shown out."""
        try:
            message, descriptors, flags, _ = socket.recv_fds(
                visitor.connection, orders.MESSAGE_LIMIT_BYTES, _DESCRIPTORS_LIMIT, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return True
        except OSError:
            return False
        given = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        try:
            if not message or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                return False
            visitor.succeeds = None if visitor.claim or given else orders.read_succession(message)
            if visitor.succeeds is not None:
                return True
            if message == orders.FIGURES:
                visitor.connection.send(self._figures())
                return False
            if visitor.claim is None:
                return not given and self._promise(visitor, message)
            if len(given) == 1:
                self._take(visitor, visitor.claim, message, given)
            return False
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("a web process said what was not understood: %s", type(error).__name__)
            return False
        finally:
            for sock in given:
                sock.close()

    def _promise(self, visitor: Visitor, message: bytes) -> bool:
        claim = orders.read_ask(message)
        full = self._seats.take(claim)
        if full is None:
            visitor.claim = claim
        visitor.connection.send(orders.YES if full is None else full.encode())
        return full is None

    def _take(self, visitor: Visitor, claim: Claim, message: bytes, given: list[socket.socket]) -> None:
        wish, rights, read_ahead = orders.read_order(message)
        if (wish.session_id, wish.transport) != (claim.session_id, claim.kind):
            return
        # When nobody is there any more to hear it, the socket is nobody's and is closed: its client comes back.
        visitor.connection.send(orders.TAKEN)
        self._admit(given[0], wish, rights, claim, read_ahead)
        # From here on socket and place are the client's.
        given.pop()
        visitor.claim = None

    def show_out(self, visitor: Visitor) -> None:
        """Ends a visit; a place that was kept is free again."""
        if visitor.claim is not None:
            self._seats.give_back(visitor.claim)
        visitor.connection.close()

    def close(self) -> None:
        """Lets nobody in any more."""
        if self.listener is None:
            return
        self.listener.close()
        self.listener = None
        # A successor may listen there already.
        path = self._place / self._name
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == self._inode:
                path.unlink()

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
Admit = Callable[[socket.socket, Wish, Rights, Claim, bytes], None]


class Visitor:
    """A web process's connection, for one socket."""

    __slots__ = ("claim", "connection")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.claim: Claim | None = None
        """For whom a place is kept."""


class Door:
    """The listening socket and who has come in; every call returns at once."""

    def __init__(self, place: Path, name: str, seats: Seats, admit: Admit) -> None:
        self._path = place / name
        self._seats = seats
        self._admit = admit
        self.listener = sockets.listening(place, name)
        self._inode = self._path.stat().st_ino

    def accept(self) -> list[Visitor]:
        """Who has come."""
        found: list[Visitor] = []
        while len(found) < _ACCEPTED_LIMIT:
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
        self.listener.close()
        # A successor may listen there already.
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

"""Where web processes come with sockets: asking for a place, then giving one socket each."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from pipeline.event import is_session_id
from web.feed.transports import BY_NAME
from web.feed.wish import Wish
from web.relay import orders, sockets
from web.relay.seats import Seats

logger = logging.getLogger(__name__)
_DESCRIPTORS_LIMIT = 4
_ACCEPTED_LIMIT = 64
Admit = Callable[[socket.socket, Wish, bytes], None]


class Visitor:
    """A web process's connection, for one socket."""

    __slots__ = ("connection", "session_id")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.session_id: str | None = None
        """Whose place is kept for it."""


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
            if visitor.session_id is None:
                return not given and self._promise(visitor, message)
            if len(given) == 1:
                self._take(visitor, message, given)
            return False
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("a web process said what was not understood: %s", type(error).__name__)
            return False
        finally:
            for sock in given:
                sock.close()

    def _promise(self, visitor: Visitor, message: bytes) -> bool:
        session_id = message.decode()
        if not is_session_id(session_id):
            return False
        answer = self._seats.take(session_id)
        if answer == orders.YES:
            visitor.session_id = session_id
        visitor.connection.send(answer)
        return answer == orders.YES

    def _take(self, visitor: Visitor, message: bytes, given: list[socket.socket]) -> None:
        wish, read_ahead = orders.read_order(message)
        if wish.session_id != visitor.session_id or wish.transport not in BY_NAME:
            return
        # When nobody is there any more to hear it, the socket is nobody's and is closed: its client comes back.
        visitor.connection.send(orders.TAKEN)
        self._admit(given[0], wish, read_ahead)
        # From here on socket and place are the client's.
        given.pop()
        visitor.session_id = None

    def show_out(self, visitor: Visitor) -> None:
        """Ends a visit; a place that was kept is free again."""
        if visitor.session_id is not None:
            self._seats.give_back(visitor.session_id)
        visitor.connection.close()

    def close(self) -> None:
        """Lets nobody in any more."""
        self.listener.close()
        # A successor may listen there already.
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

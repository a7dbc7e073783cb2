"""Handing an open socket over to a relay; from the request's side. No Flask."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any

from pipeline.settings import Settings
from web.access import Rights
from web.feed.seats import Claim, Full
from web.feed.tally import tally
from web.feed.wish import Wish
from web.relay import orders, sockets

logger = logging.getLogger(__name__)
_ANSWER_SECONDS = 1.0
_LEFT_ALONE_SECONDS = 1.0
_SAID_EVERY_SECONDS = 60.0


class NoPlace(Exception):
    """The relay takes no further feed; `full` says of whom."""

    def __init__(self, full: Full) -> None:
        super().__init__()
        self.full = full


class Seat:
    """A place at a relay, kept for one feed until the socket is given or `close` is called."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def give(self, sock: socket.socket, wish: Wish, rights: Rights, read_ahead: bytes) -> bool:
        """Hands the client's socket over; False when the relay has not taken it, so that it is still ours.

        Afterwards `sock`'s descriptor stands for nothing: whoever shuts it down does not touch the client.
        """
        try:
            socket.send_fds(self._connection, [orders.order(wish, rights, read_ahead)], [sock.fileno()])
            answer = self._connection.recv(len(orders.TAKEN))
        except TimeoutError:
            # It may take the socket yet, so it is not ours to write to any more. If it does not, the client, whose
            # connection then ends, comes back.
            answer = orders.TAKEN
        except OSError:
            tally.count("handover:failed")
            return False
        finally:
            self.close()
        tally.count("handover:done" if answer == orders.TAKEN else "handover:failed")
        if answer != orders.TAKEN:
            return False
        _replace(sock)
        return True

    def close(self) -> None:
        """Gives the place back, unless the socket was taken."""
        self._connection.close()


def _replace(sock: socket.socket) -> None:
    """Puts a stand-in over the descriptor, because gunicorn shuts it down when the request is over."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        os.dup2(ours.fileno(), sock.fileno(), inheritable=False)


class Relays:
    """The relays of one home folder, as one web process knows them."""

    def __init__(self, settings: Settings) -> None:
        self._relays = settings.relays if sockets.are_possible() else 0
        self._folder = sockets.folder(settings.home_path)
        self._lock = threading.Lock()
        """Keeps the two times right between the threads of the server."""
        self._asked_again_at = 0.0
        self._said_at = -_SAID_EVERY_SECONDS

    def seat(self, claim: Claim, beside: str = "") -> Seat | None:
        """A place for a feed; None when no relay answers. Feeds of no session go where `beside` is. Raises NoPlace."""
        if self._relays == 0 or time.monotonic() < self._asked_again_at:
            return None
        try:
            return self._ask(claim, orders.relay_of(claim.session_id or beside, self._relays))
        except OSError as error:
            self._remember(error)
            return None

    def _ask(self, claim: Claim, number: int) -> Seat | None:
        connection = sockets.connected(self._folder, orders.name_of(number), _ANSWER_SECONDS)
        try:
            connection.send(orders.ask(claim))
            answer = connection.recv(orders.MESSAGE_LIMIT_BYTES)
        except BaseException:
            connection.close()
            raise
        if answer == orders.YES:
            return Seat(connection)
        connection.close()
        with contextlib.suppress(ValueError):
            raise NoPlace(Full(answer.decode()))
        raise ConnectionResetError("it ended")

    def _remember(self, error: OSError) -> None:
        now = time.monotonic()
        tally.count("handover:no_relay")
        with self._lock:
            if isinstance(error, TimeoutError):
                # Whoever hangs would make every handshake wait.
                self._asked_again_at = now + _LEFT_ALONE_SECONDS
            if now - self._said_at < _SAID_EVERY_SECONDS:
                return
            self._said_at = now
        logger.warning("no relay answers (%s): feeds are served by threads of this process", _reason(error))


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def socket_of(environ: Mapping[str, Any]) -> socket.socket | None:
    """The client's socket, where the server shows it and nothing lies between us and the client."""
    found = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    return found if isinstance(found, socket.socket) and not isinstance(found, ssl.SSLSocket) else None


def read_ahead_of(environ: Mapping[str, Any]) -> bytes:
    """What the server has read of the client's bytes behind the request."""
    unreader = getattr(getattr(environ.get("wsgi.input"), "reader", None), "unreader", None)
    take = getattr(unreader, "take_buffered", None)
    return bytes(take()) if callable(take) else b""

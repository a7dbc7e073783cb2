"""How a client's socket is set up, whoever serves it: never waiting, and noticing a peer that is no more."""

from __future__ import annotations

import contextlib
import socket

_USER_TIMEOUT_MS = 30_000
"""Sent data that is not acknowledged for so long: nobody is there any more, though nothing was said."""


def prepare(sock: socket.socket) -> None:
    """Sets it up; what the platform or a Unix socket does not have is left out."""
    sock.setblocking(False)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # An event stream's heartbeat is never answered: only the system knows that it did not arrive.
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)

"""What two relays send each other in a succession: bytes of any length, with clients' sockets.

    new → old   the version of its luggage (`orders.succession`)
    old → new   CHANNELS: what its clients read; or REFUSED: it is of another version
    new → old   READY: it follows those channels, and web processes come to it; or END, having been refused
    old → new   CLIENTS: some clients with their sockets
    new → old   TAKEN, before it writes to them; then CLIENTS come again, in the end DONE

Without TAKEN the clients are still the old one's.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

CHANNELS, REFUSED, CLIENTS, DONE = b"channels", b"refused", b"clients", b"done"
READY, TAKEN, END = b"ready", b"taken", b"end"
SOCKETS_LIMIT = 200
"""The system lets at most 253 descriptors go with one message."""
_DESCRIPTORS_LIMIT = 253
_WORD_LIMIT_BYTES = 64


def send(connection: socket.socket, word: bytes, data: bytes, sockets: Sequence[socket.socket] = ()) -> None:
    """Sends a word with data, in memory of their own: a message of a socket may not be long. Raises OSError."""
    memory = os.memfd_create("parcel")
    try:
        with os.fdopen(memory, "wb", closefd=False) as file:
            file.write(data)
        socket.send_fds(connection, [word], [memory, *(sock.fileno() for sock in sockets)])
    finally:
        os.close(memory)


def receive(connection: socket.socket) -> tuple[bytes, bytes, list[socket.socket]]:
    """A word, its data, its sockets; an empty word at the connection's end.

    Raises OSError (BlockingIOError when nothing has come), with all that came closed.
    """
    word, descriptors, flags, _ = socket.recv_fds(
        connection, _WORD_LIMIT_BYTES, _DESCRIPTORS_LIMIT, socket.MSG_CMSG_CLOEXEC
    )
    if not descriptors:
        return word, b"", []
    memory, *clients = descriptors
    sockets: list[socket.socket] = []
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise OSError("not all of it could be received")
        data = _content(memory)
        while clients:
            sockets.append(socket.socket(fileno=clients[0]))
            del clients[0]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    finally:
        for descriptor in (memory, *clients):
            os.close(descriptor)
    return word, data, sockets


def _content(memory: int) -> bytes:
    with os.fdopen(memory, "rb", closefd=False) as file:
        # Whoever wrote it has moved the place that both have in it.
        file.seek(0)
        return file.read()

"""The Unix sockets between web processes and relays: where they lie, and whom they belong to."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")
_BACKLOG_CONNECTIONS = 1_024


def are_possible() -> bool:
    """Whether this platform can hand open sockets to another process."""
    return sys.platform == "linux" and hasattr(socket, "SOCK_SEQPACKET")


def folder(home: Path) -> Path:
    """Where the relays' sockets lie."""
    return home / "run"


@contextlib.contextmanager
def _address(place: Path, name: str) -> Iterator[str]:
    """A short address for a name in a folder: a Unix socket's may have 107 bytes only, a path may be longer."""
    descriptor = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def peer_is_us(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to the same user."""
    given = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(given)[1] == os.getuid())


def peer_process(connection: socket.socket) -> int:
    """The id of the process at the other end; of one that listens: of who began to."""
    given = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(given)[0])


def connected(place: Path, name: str, timeout_seconds: float) -> socket.socket:
    """A connection to whoever listens there. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(timeout_seconds)
        with _address(place, name) as address:
            connection.connect(address)
        if not peer_is_us(connection):
            raise PermissionError("it belongs to another user")
    except BaseException:
        connection.close()
        raise
    return connection


def listening(place: Path, name: str) -> socket.socket:
    """A socket that listens there and never waits, in place of one that did before. Raises OSError."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.chmod(0o700)
    own = f"{name}.{os.getpid()}"
    (place / own).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with _address(place, own) as address:
            listener.bind(address)
        (place / own).chmod(0o600)
        listener.listen(_BACKLOG_CONNECTIONS)
        listener.setblocking(False)
        # In one step, so that nobody who comes finds no relay.
        (place / own).rename(place / name)
    except BaseException:
        listener.close()
        raise
    return listener

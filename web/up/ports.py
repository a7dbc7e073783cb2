"""Which ports are free, said in one clear sentence where one is not."""

from __future__ import annotations

import errno
import random
import socket

from pipeline.errors import SettingError
from web.up.failures import StartFailed

# Below Linux's ephemeral range, so that no outgoing connection sits on the port after a restart.
_PRIVATE_PORTS = range(20_000, 32_768)


def why_not(host: str, port: int) -> int:
    """0 when a server may listen on `host` and `port`, else the errno of the refusal.

    Raises SettingError when the host's name means nothing here.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise SettingError(f"SPANFEED_HOST={host} is not an address of this machine") from None
    with socket.socket(family, kind, protocol) as probe:
        # Connections of an earlier start that linger in TIME_WAIT don't stop a server either.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def require(host: str, port: int) -> None:
    """Raise SettingError, with a port to choose instead, when the web server cannot listen there."""
    trouble = why_not(host, port)
    if not trouble:
        return
    if trouble == errno.EADDRNOTAVAIL:
        raise SettingError(f"SPANFEED_HOST={host} is not an address of this machine")
    instead = next_free(host, max(port, 1_023) + 1)
    reason = "may not be opened by this user" if trouble == errno.EACCES else "is in use by another program"
    raise SettingError(f"Port {port} {reason}; choose another: make run PORT={instead}")


def next_free(host: str, first: int, taken: frozenset[int] = frozenset(), tries: int = 100) -> int:
    """The first port from `first` on that is free and not in `taken`; StartFailed after `tries`."""
    for port in range(first, min(first + tries, 65_536)):
        if port not in taken and not why_not(host, port):
            return port
    raise StartFailed(f"No free port was found from {first} on")


def private(last: int | None = None, tries: int = 100) -> int:
    """A free port on loopback for a server of our own: the `last` one if it can be had again."""
    for port in (last, *random.sample(_PRIVATE_PORTS, tries)):  # nosec
        if port and not why_not("127.0.0.1", port):
            return port
    raise StartFailed("No free port was found for the private Redis")

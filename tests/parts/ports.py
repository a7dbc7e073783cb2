"""Free ports below 32768: higher ones collide with outgoing connections."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator

_FIRST, _LAST = 10_000, 32_000
_RUNNERS_LIMIT = 16


def _own_range(runner: str) -> range:
    """The ports of this process of the test run: those that run beside it have others."""
    number = int(runner.removeprefix("gw") or 0) % _RUNNERS_LIMIT
    width = (_LAST - _FIRST) // _RUNNERS_LIMIT
    return range(_FIRST + number * width, _FIRST + (number + 1) * width)


def _candidates() -> Iterator[int]:
    ports = list(_own_range(os.environ.get("PYTEST_XDIST_WORKER", "")))
    random.shuffle(ports)
    # One after the other: a port that was given out may not be listened on yet.
    return itertools.cycle(ports)


_CANDIDATES = _candidates()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    for port in itertools.islice(_CANDIDATES, 1_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")

"""Free ports below 32768: higher ones collide with outgoing connections."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    for _ in range(1_000):
        port = random.randint(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")

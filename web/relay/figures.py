"""Asking a relay what it has counted; from a web process's or a command's side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from web.relay import orders, sockets


def figures_of(place: Path, number: int, timeout_seconds: float) -> dict[str, Any]:
    """What the relay says. Raises OSError (nobody answers) or ValueError (it says no such thing)."""
    with sockets.connected(place, orders.name_of(number), timeout_seconds) as relay:
        relay.send(orders.FIGURES)
        answer = relay.recv(orders.MESSAGE_LIMIT_BYTES)
    figures = orjson.loads(answer)
    if not isinstance(figures, dict):
        raise ValueError("no figures")
    return figures

"""Having the relay that runs replaced by a new one, from a command's side."""

from __future__ import annotations

import os
import signal
import time

from pipeline.errors import SpanfeedError
from pipeline.settings import Settings
from web.metrics_door import figures_at
from web.relay import orders, sockets

_ANSWER_SECONDS = 5.0
_REPLACED_SECONDS = 40.0
_PAUSE_SECONDS = 0.05


def replaced(settings: Settings, number: int) -> str:
    """Sends the relay SIGHUP, waits until another one has taken over, and says so. Raises SpanfeedError."""
    before = _process(settings, number)
    if before is None:
        raise SpanfeedError(f"No relay {number} runs in this home folder; start one: spanfeed relay")
    os.kill(before, signal.SIGHUP)
    deadline = time.monotonic() + _REPLACED_SECONDS
    while time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
        found = _process(settings, number)
        if found not in (None, before):
            taken = _taken(settings, number)
            if taken is not None:
                return f"The relay was replaced; {taken} feeds were taken over."
    raise SpanfeedError(f"No other relay came within {_REPLACED_SECONDS:g} s; its log says why. The old one goes on")


def _process(settings: Settings, number: int) -> int | None:
    try:
        name = orders.name_of(number)
        with sockets.connected(sockets.folder(settings.home_path), name, _ANSWER_SECONDS) as relay:
            return sockets.peer_process(relay)
    except OSError:
        return None


def _taken(settings: Settings, number: int) -> int | None:
    """How many feeds the relay has taken over; None as long as it does, or does not answer."""
    try:
        figures = figures_at(sockets.folder(settings.home_path), orders.name_of(number))
    except (OSError, ValueError, KeyError):
        return None
    return None if figures["taking"] else int(figures["taken"])

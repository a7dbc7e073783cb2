"""Where a web process tells another one what it has counted, as relays do: a Unix socket of its own. No Flask."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from web.relay import orders, sockets

logger = logging.getLogger(__name__)
PROCESSES_LIMIT = 64
_ASK_SECONDS = 0.5


def folder(home: Path) -> Path:
    """Where the web processes' sockets lie."""
    return home / "figures"


class MetricsDoor:
    """Of one process; opened at its first request, since a server may fork before."""

    def __init__(self, home: Path, figures: Callable[[], dict[str, Any]]) -> None:
        self._folder = folder(home)
        self._figures = figures
        self._lock = threading.Lock()
        """Has the door opened once."""
        self._process_id = 0

    def open(self) -> None:
        """Answers from now on, by a thread. Without a socket, others just do not hear of this process."""
        if self._process_id == os.getpid() or not sockets.are_possible():
            return
        with self._lock:
            if self._process_id == os.getpid():
                return
            self._process_id = os.getpid()
            try:
                listener = sockets.listening(self._folder, f"web-{os.getpid()}.sock")
            except OSError as error:
                logger.warning("this process's figures cannot be asked for: %s", error.strerror)
                return
            listener.setblocking(True)
            threading.Thread(target=self._answer, args=(listener,), name="metrics-door", daemon=True).start()

    def _answer(self, listener: socket.socket) -> None:
        while True:
            try:
                asking, _ = listener.accept()
                with asking:
                    asking.settimeout(_ASK_SECONDS)
                    if sockets.peer_is_us(asking) and asking.recv(100) == orders.FIGURES:
                        asking.send(orjson.dumps(self._figures()))
            except OSError:
                continue


def others(home: Path) -> list[dict[str, Any]]:
    """What the other web processes of this home folder say; the sockets of those that are gone are taken away."""
    place = folder(home)
    found: list[dict[str, Any]] = []
    for path in sorted(place.glob("web-*.sock"))[:PROCESSES_LIMIT] if place.is_dir() else ():
        if path.name == f"web-{os.getpid()}.sock":
            continue
        try:
            found.append(figures_at(place, path.name))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue
    return found


def figures_at(place: Path, name: str) -> dict[str, Any]:
    """What the process behind a socket has counted. Raises OSError (nobody answers) or ValueError."""
    with sockets.connected(place, name, _ASK_SECONDS) as other:
        other.send(orders.FIGURES)
        figures = orjson.loads(other.recv(orders.MESSAGE_LIMIT_BYTES))
    if not isinstance(figures, dict):
        raise ValueError("no figures")
    return figures

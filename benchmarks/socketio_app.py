"""The peer Flask-SocketIO: `gunicorn -k gevent benchmarks.socketio_app:app` and its emitter. Needs its own Python."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any

SENDERS: dict[str, Callable[[str, int], Callable[[list[int]], None]]] = {}


def _sender(url: str, size_bytes: int) -> Callable[[list[int]], None]:
    from flask_socketio import SocketIO

    emitter = SocketIO(message_queue=url)
    # Around the note: {"at_us":…,"note":"…"} with a moment of 10 to 12 digits.
    note = "x" * (size_bytes - 33)

    def send(sessions: list[int]) -> None:
        for session in sessions:
            emitter.emit("event", {"at_us": time.monotonic_ns() // 1_000, "note": note}, to=f"s{session}")

    return send


SENDERS["socketio"] = _sender


@functools.cache
def _app() -> Any:
    from gevent import monkey

    monkey.patch_all()
    from flask import Flask
    from flask_socketio import SocketIO, emit, join_room

    made = Flask("socketio")
    server = SocketIO(made, message_queue=os.environ["REDIS_URL"], async_mode="gevent", cors_allowed_origins="*")

    @server.on("join")
    def join(room: str) -> None:
        join_room(room)
        emit("joined", room)

    @made.get("/ready")
    def ready() -> str:
        return "ready"

    return made


def __getattr__(name: str) -> Any:
    """`app` is made when gunicorn asks for it: the emitter must not be patched by gevent."""
    if name == "app":
        return _app()
    raise AttributeError(name)

"""Sends a burst from a process of its own: `python -m benchmarks.emitter ours|naive SESSION COUNT`.

It says `ready`, waits for a line, sends the events one after the other, and says how many seconds that took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

import redis

from pipeline import settings as settings_table
from pipeline.bus import open_bus
from pipeline.event import Category, Identity, Priority, State, Status

DATA = {"note": "x" * 200}


def ours(session_id: str) -> Callable[[int], None]:
    """Appends events to the log: stored, numbered, announced."""
    bus = open_bus(settings_table.load())
    identity = Identity("burst", Category.WORKFLOW, Priority.NORMAL, session_id=session_id)

    def send(number: int) -> None:
        state = State(Status.PROGRESS, "A burst.", {"number": number, **DATA})
        bus.append(identity, state, emitter_key=f"{session_id}:{number}")

    return send


def naive(session_id: str) -> Callable[[int], None]:
    """Publishes events of the same content."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    channel = f"naive:{session_id}"

    def send(number: int) -> None:
        event = {"event_type": "burst", "event_status": "progress", "user_message": "A burst."}
        frame = {"type": "event", "event": {**event, "event_data": {"number": number, **DATA}}}
        client.publish(channel, json.dumps(frame))

    return send


def main() -> None:
    """The command."""
    side, session_id, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    send = {"ours": ours, "naive": naive}[side](session_id)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    for number in range(count):
        send(number)
    print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()

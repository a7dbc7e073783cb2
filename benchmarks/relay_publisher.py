"""Publishes at a pace, from a process of its own: `python -m benchmarks.relay_publisher KIND TARGET BYTES`.

It says `ready`, then takes lines of JSON: `events`, to `sessions` in turn, `rate` a second (0: as fast as it goes),
`batch` of them at once. After each it says as JSON how long that took and how much of a core. It imports nothing but
the standard library by itself, because a peer's emitter runs in the peer's own Python.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable

Send = Callable[[list[int]], None]
"""Sends one event to each of these sessions, and returns when all are accepted."""
_MODULES = {"socketio": "benchmarks.socketio_app"}


def main() -> None:
    """The command."""
    kind, target, size_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    senders = importlib.import_module(_MODULES.get(kind, "benchmarks.relay_senders")).SENDERS
    send: Send = senders[kind](target, size_bytes)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_publish(send, **json.loads(line))), flush=True)


def _publish(send: Send, events: int, sessions: int, rate: float, batch: int) -> dict[str, float]:
    began, cpu = time.monotonic(), time.process_time()
    for first in range(0, events, batch):
        if rate:
            pause = began + first / rate - time.monotonic()
            if pause > 0:
                time.sleep(pause)
        send([number % sessions for number in range(first, min(first + batch, events))])
    seconds = time.monotonic() - began
    return {"seconds": seconds, "busy": (time.process_time() - cpu) / seconds}


if __name__ == "__main__":
    main()

"""Many WebSocket clients in one process: `python -m benchmarks.relay_load PORT PATH CLIENTS SESSIONS [HEADER]`.

`PATH` holds `{}` for the session's number. It says `ready` once all are open, then waits for lines with a number of
deliveries, counts so many of them (or until nothing came for two seconds), and says what it saw as JSON. Python is
slow enough to be the bottleneck of a fast server: `busy` tells how much of a core the clients used.
"""

from __future__ import annotations

import json
import resource
import select
import sys
import time

from benchmarks.feed_reader import FeedReader

MARK = b'"at_ns":'
"""Stands before the moment (monotonic, in ns) at which an event was published."""
_QUIET_SECONDS = 2.0
_READ_BYTES = 65_536
_SAMPLES_EVERY = 7
"""Not every message's age is read, since that costs more than to count it."""


def main() -> None:
    """The command."""
    port, path, clients, sessions = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    headers = dict([sys.argv[5].split(": ")]) if len(sys.argv) > 5 else {}
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    readers = [FeedReader(port, path.format(number % sessions), headers, 60) for number in range(clients)]
    for reader in readers:
        reader.next()
        reader.socket.setblocking(False)
    poller = select.epoll()
    sockets = {reader.socket.fileno(): reader.socket for reader in readers}
    for descriptor in sockets:
        poller.register(descriptor, select.EPOLLIN)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_count(poller, sockets, int(line))), flush=True)


def _count(poller: select.epoll, sockets: dict[int, object], expected: int) -> dict[str, float]:
    count, ages, chunks = 0, [], 0
    began = first = last = time.monotonic_ns()
    cpu = time.process_time()
    while count < expected:
        ready = poller.poll(_QUIET_SECONDS)
        if not ready:
            break
        for descriptor, _ in ready:
            data = sockets[descriptor].recv(_READ_BYTES)  # type: ignore[attr-defined]
            found = data.count(MARK)
            if not found:
                continue
            last = time.monotonic_ns()
            first = last if not count else first
            count += found
            chunks += 1
            if chunks % _SAMPLES_EVERY == 0:
                place = data.index(MARK) + len(MARK)
                ages.append((last - int(data[place : data.index(b"}", place)])) / 1000)
    ages.sort()
    return {
        "count": count,
        "seconds": (last - first) / 1e9,
        "p50_us": ages[len(ages) // 2] if ages else 0.0,
        "p99_us": ages[int(len(ages) * 0.99)] if ages else 0.0,
        "busy": (time.process_time() - cpu) / max(1e-9, (last - began) / 1e9),
    }


if __name__ == "__main__":
    main()

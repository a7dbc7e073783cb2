"""Open feeds: the relay beside our own threads and beside a naive flask-sock app, on the same announcements.

`python -m benchmarks.relay [--clients 1000] [--rate 400] [--rounds 3] [--idle 2000] [--json]`

What is announced is published directly, not appended, so that the emitter is not what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
import redis

from benchmarks.pairs import Comparison, compare
from benchmarks.processes import ROOT, Program, cpu_seconds, environment_with
from benchmarks.relay_load import MARK
from benchmarks.report import show
from pipeline.bus.keys import session_channel
from tests.parts.ports import free_port
from tests.parts.redis_part import RedisPart
from tests.parts.stack import KEY, Stack
from tests.parts.waiting import wait_for

_SPARE_THREADS = 32
_SECONDS = 3.0
_NOTE = "x" * 300
PEERS = {"threads": "a thread for each feed (SPANFEED_RELAYS=0)", "naive": "naive Flask app (flask-sock, redis-py)"}


class Side:
    """A server with feeds: which of its processes count, where its feeds lie, how its channels are called."""

    def __init__(self, name: str, home: Path, part: RedisPart, clients: int) -> None:
        self.name = name
        self._ids = itertools.count(1)
        threads = str(clients + _SPARE_THREADS)
        if name == "naive":
            self.port, self.header = free_port(), ""
            self.path = "/feed/{}"
            # It does not notice that a client has gone before it has something to tell: threads stay taken.
            threads = str(4 * clients + _SPARE_THREADS)
            command = [sys.executable, "-m", "gunicorn", "--worker-class=gthread", f"--threads={threads}"]
            command += [f"--bind=127.0.0.1:{self.port}", "--backlog=4096", "--worker-connections=100000"]
            program = Program(
                [*command, "benchmarks.naive_app:web"],
                home / "naive.log",
                {"REDIS_URL": f"{part.url}?max_connections=100000"},
            )
            self.stop = program.stop
            self._processes = [psutil.Process(program._process.pid)]
            wait_for(lambda: b"Booting" in program.log.read_bytes(), "the naive app", 30)
            return
        limits = {
            "SPANFEED_WEB_THREADS": threads if name == "threads" else "16",
            "SPANFEED_RELAYS": "1" if name == "relay" else "0",
            "SPANFEED_FEED_SOCKETS_LIMIT": "1000000",
            "SPANFEED_FEED_SOCKETS_PER_SESSION_LIMIT": "1000000",
        }
        stack = Stack(home / name, part, **limits).start(worker=False, recorder=False, relay=name == "relay")
        self.port, self.header, self.path, self.stop = (
            stack.port,
            f"X-API-Key: {KEY}",
            f"/chat/ws/events/{name}-{{}}",
            stack.close,
        )
        self._processes = [psutil.Process(process.pid) for process in stack.processes.values()]

    def cpu_seconds(self) -> float:
        """CPU time of all its processes."""
        return sum(cpu_seconds(process) for process in self._processes)

    def memory_bytes(self) -> int:
        """Memory that is its processes' own."""
        every = [one for process in self._processes for one in [process, *process.children(recursive=True)]]
        return sum(one.memory_full_info().uss for one in every)

    def announcement(self, session: int) -> tuple[str, bytes]:
        """A channel, and an event that was made just now."""
        event = b'{"note":"%b",%b%d}' % (_NOTE.encode(), MARK, time.monotonic_ns())
        if self.name == "naive":
            return f"naive:{session}", event
        # Far ahead of every id that the log has given.
        event_id = 8_000_000_000_000_000 + next(self._ids)
        return session_channel(f"{self.name}-{session}"), b"%d burst workflow normal progress\n%b" % (event_id, event)


@contextlib.contextmanager
def clients_of(side: Side, clients: int, sessions: int) -> Iterator[subprocess.Popen[str]]:
    """Open feeds, in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.relay_load", str(side.port), side.path, str(clients), str(sessions)]
    command += [side.header] if side.header else []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment_with({}), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"the clients of {side.name} could not connect")
            yield process
        finally:
            process.kill()


def measure(
    side: Side, part: RedisPart, process: subprocess.Popen[str], plan: tuple[int, int, float]
) -> dict[str, Any]:
    """Publishes at a rate to sessions in turn; `plan` is (clients, sessions, events a second)."""
    clients, sessions, rate = plan
    assert process.stdin is not None
    assert process.stdout is not None
    events = int(rate * _SECONDS)
    process.stdin.write(f"{events * clients // sessions}\n")
    process.stdin.flush()
    cpu = side.cpu_seconds()
    with redis.Redis(port=part.port) as publisher:
        began = time.monotonic()
        for number in range(events):
            pause = began + number / rate - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            publisher.publish(*side.announcement(number % sessions))
    found: dict[str, Any] = json.loads(process.stdout.readline())
    found["cpu_us"] = (side.cpu_seconds() - cpu) * 1e6 / max(1, found["count"])
    found["missing"] = events * clients // sessions - found["count"]
    print(f"{side.name}, {clients} clients of {sessions} sessions: {json.dumps(found)}", file=sys.stderr)
    return found


def compared(name: str, pairs: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]) -> list[Comparison]:
    """The figures of one kind of load, the relay's beside each peer's."""
    kinds = {"cpu_us": "us CPU/delivery", "p50_us": "us", "p99_us": "us"}
    return [
        compare(
            f"{name}: {kind.split('_')[0]}", unit, PEERS[peer], [(ours[kind], theirs[kind]) for ours, theirs in both]
        )
        for peer, both in pairs.items()
        for kind, unit in kinds.items()
        if all(theirs[kind] for _, theirs in both)
    ]


def idle(side: Side, clients: int) -> float:
    """Kilobytes of the server's for each feed on which nothing happens."""
    with clients_of(side, 50, 50):
        pass
    time.sleep(1)
    before = side.memory_bytes()
    with clients_of(side, clients, clients):
        return (side.memory_bytes() - before) / clients / 1000


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=400, help="events a second to as many sessions as clients")
    parser.add_argument("--topic-rate", type=float, default=10, help="events a second to one session of all clients")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle", type=int, default=2_000, help="feeds whose memory is weighed; 0: none")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: list[Comparison] = []
    loads = {
        "one session": (asked.clients, 1, asked.topic_rate),
        "a session each": (asked.clients, asked.clients, asked.rate),
    }
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        part = RedisPart(Path(folder) / "redis")
        stack.callback(part.stop, kill=True)
        sides = {}
        for name in ("relay", *PEERS):
            sides[name] = Side(name, Path(folder), part, max(asked.clients, asked.idle))
            stack.callback(sides[name].stop)
        if asked.idle:
            weights = {name: idle(side, asked.idle) for name, side in sides.items()}
            found += [compare("an idle feed", "kB", PEERS[k], [(weights["relay"], weights[k])]) for k in PEERS]
        for name, plan in loads.items():
            pairs: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {peer: [] for peer in PEERS}
            with contextlib.ExitStack() as open_feeds:
                feeds = {key: open_feeds.enter_context(clients_of(side, *plan[:2])) for key, side in sides.items()}
                for _ in range(asked.rounds):
                    each = {key: measure(side, part, feeds[key], plan) for key, side in sides.items()}
                    for peer in PEERS:
                        pairs[peer].append((each["relay"], each[peer]))
            found += compared(name, pairs)
    show(found, asked.json)


if __name__ == "__main__":
    main()

"""A burst on one session to one WebSocket client: whether all of it comes in order, how fast, at what cost.

`python -m benchmarks.burst [--events 3000] [--pairs 6] [--server valkey|redis] [--json]`
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.pairs import Comparison, Goal, compare
from benchmarks.processes import LineProcess
from benchmarks.report import show
from benchmarks.sides import PEER, OurSide, Side, both
from pipeline.store import events
from tests.parts.redis_part import SERVERS


@dataclasses.dataclass(frozen=True)
class Burst:
    """What came of one burst."""

    in_order: int
    """Events that came in their place, before the first that did not."""
    seconds: float
    web_cpu_seconds: float


def one_burst(side: Side, name: str, count: int, environment: Mapping[str, str]) -> tuple[str, Burst]:
    """A burst on a session of its own; gives the session, too. Reading ends when an event is out of place."""
    session_id = str(uuid.uuid4())
    feed = side.open_feed(session_id)
    emitter = LineProcess([sys.executable, "-m", "benchmarks.emitter", name, session_id, str(count)], environment)
    try:
        emitter.heard()
        cpu, began = side.web_cpu_seconds(), time.perf_counter()
        emitter.tell("go")
        in_order = 0
        while in_order < count:
            # A peer that has lost the end of the burst says no more.
            try:
                frame = json.loads(feed.next())
            except TimeoutError:
                break
            if frame["type"] != "event":
                continue
            if frame["event"]["event_data"]["number"] != in_order:
                break
            in_order += 1
        took = time.perf_counter() - began
        return session_id, Burst(in_order, took, side.web_cpu_seconds() - cpu)
    finally:
        emitter.close()
        feed.close()


def stored_in_order(ours: OurSide, session_id: str, count: int) -> int:
    """How many of the session's events the database holds in their place, once the recorder has caught up."""
    ours.stack.settled()
    found = events.session_events(ours.stack.store, session_id, 0, count + 1)
    numbers = [json.loads(event.wire)["event_data"]["number"] for event in found]
    return next((place for place, number in enumerate(numbers) if number != place), len(numbers))


def measure(ours: OurSide, naive: Side, count: int, pairs: int) -> list[Comparison]:
    """Bursts by turns, after one of each to warm up."""
    environment = ours.stack.environment
    found: list[tuple[Burst, Burst]] = []
    stored: list[int] = []
    for number in range(pairs + 1):
        if number % 2:
            _, peer = one_burst(naive, "naive", count, environment)
            session_id, own = one_burst(ours, "ours", count, environment)
        else:
            session_id, own = one_burst(ours, "ours", count, environment)
            _, peer = one_burst(naive, "naive", count, environment)
        stored.append(stored_in_order(ours, session_id, count))
        found.append((own, peer))
    kept, whole = found[1:], Goal(">=", count, ours=True)
    # What the client saw and what the database holds; the peer stores nothing, so only its client is asked.
    complete = [(min(*stored, *(o.in_order for o, _ in kept)), min(p.in_order for _, p in kept))]
    speed = [(o.in_order / o.seconds, p.in_order / p.seconds) for o, p in kept]
    cpu = [(o.web_cpu_seconds / o.in_order * 1e6, p.web_cpu_seconds / p.in_order * 1e6) for o, p in kept]
    return [
        compare("complete and in order, in the worst burst", "events", PEER, complete, whole),
        compare("first sent to last received", "events/s", PEER, speed),
        compare("web server's CPU", "µs/event", PEER, cpu),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=3_000)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--server", choices=SERVERS, default="valkey")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with both(asked.server) as (ours, naive):
        found = measure(ours, naive, asked.events, asked.pairs)
    show(found, asked.json)


if __name__ == "__main__":
    main()

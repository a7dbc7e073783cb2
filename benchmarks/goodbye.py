"""A relay that is told to end with many feeds open: when the last one has heard so, and when the process is gone.

`python -m benchmarks.goodbye [--clients 1000] [--rounds 10] [--json]`
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.pairs import Comparison, Goal, compare
from benchmarks.report import show
from tests.parts.audience import Audience
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack

TOLD_SECONDS, GONE_SECONDS = 1.0, 2.0
"""What is promised."""


@dataclasses.dataclass(frozen=True)
class Goodbye:
    """Seconds since the signal."""

    told: float
    gone: float


def goodbye(stack: Stack, clients: int) -> Goodbye:
    """One relay's end."""
    stack.start_relay()
    audience = Audience(stack.settings())
    try:
        for number in range(clients):
            audience.sit(f"bench-{number}", "sse" if number % 4 == 3 else "ws")
        audience.until(lambda: all(one.messages for one in audience.all), "the greeting of all")
        relay = stack.processes.pop("relay")
        began = time.monotonic()
        relay.send_signal(signal.SIGTERM)
        audience.until(lambda: all(one.ended for one in audience.all), "the end of all")
        told = time.monotonic() - began
        relay.wait(60)
        gone = time.monotonic() - began
        unsaid = sum(one.close_code != 1012 for one in audience.all if one.wish.transport == "ws")
        if unsaid:
            raise RuntimeError(f"{unsaid} feeds ended without 1012")
    finally:
        audience.close()
    return Goodbye(told, gone)


def measure(clients: int, rounds: int) -> list[Comparison]:
    """Several relays, one after the other; the first is not counted."""
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder:
        home = Path(folder)
        (home / "home").mkdir()
        part = RedisPart(home / "redis")
        stack = Stack(home / "home", part)
        try:
            found = [goodbye(stack, clients) for _ in range(rounds + 1)][1:]
        finally:
            stack.close()
            part.stop(kill=True)
    name = f"a relay with {clients:,} feeds is told to end"
    told = [(one.told, TOLD_SECONDS) for one in found]
    gone = [(one.gone, GONE_SECONDS) for one in found]
    return [
        compare(f"{name}: the last feed has heard of it", "s", "what is promised", told, Goal("<=", 1)),
        compare(f"{name}: it is gone", "s", "what is promised", gone, Goal("<=", 1)),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    show(measure(asked.clients, asked.rounds), asked.json)


if __name__ == "__main__":
    main()

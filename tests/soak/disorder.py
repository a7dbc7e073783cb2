"""What dies during a run, how, and when: a plan that the seed decides."""

from __future__ import annotations

import dataclasses
import random
import signal
from collections.abc import Iterator

from tests.parts.stack import Stack
from tests.soak.options import Options

_START_SECONDS = 120.0
"""A machine on which a soak runs beside others is slow."""


@dataclasses.dataclass(frozen=True)
class Blow:
    """A process that is ended, and started again, once so many joins were counted."""

    at_join: int
    name: str
    number: signal.Signals

    def strike(self, stack: Stack) -> None:
        """Ends it and starts it again; returns when it serves, or (web) when it was started."""
        if self.name == "redis":
            stack.redis.stop(kill=self.number == signal.SIGKILL)
            stack.redis.start()
            return
        stack.stop(self.name, self.number)
        if self.name == "relay":
            stack.start_relay(seconds=_START_SECONDS)
        else:
            stack.start_web(wait=False)

    def __str__(self) -> str:
        return f"{self.name} {self.number.name}"


def plan(options: Options) -> list[Blow]:
    """All blows of a run, spread over its joins; each part is killed and told to end in turns."""
    dice = random.Random(options.seed)
    counts = {"redis": options.redis_restarts, "relay": options.relay_restarts, "web": options.web_restarts}
    wanted = [blow for name, count in counts.items() for blow in _turns(name, count)]
    dice.shuffle(wanted)
    step = options.joins / (len(wanted) + 1)
    return [Blow(int(step * (place + 1)), name, number) for place, (name, number) in enumerate(wanted)]


def _turns(name: str, count: int) -> Iterator[tuple[str, signal.Signals]]:
    for turn in range(count):
        yield name, signal.SIGTERM if turn % 2 else signal.SIGKILL

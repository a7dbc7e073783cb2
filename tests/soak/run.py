"""A whole run: servers, clients, a feeder and disorder, and in the end the judge."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import resource
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from pipeline.bus import open_bus
from tests.parts.redis_part import RedisPart
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.soak.crowd import Crowd
from tests.soak.disorder import plan
from tests.soak.feeder import Feeder
from tests.soak.judge import Violation, held_by_database, judge
from tests.soak.options import Options

_ENVIRONMENT = {
    "SPANFEED_WEB_PROCESSES": "2",
    "SPANFEED_REQUESTS_PER_MINUTE": "100000000",
    # So few that clients are often owed what only the database or the log has.
    "SPANFEED_SESSION_STREAM_LIMIT_EVENTS": "100",
}
_DESCRIPTORS_LIMIT = 200
"""A server without clients has a few for each of its threads: connections to Redis, and the database's files."""
_LET_GO_SECONDS = 30.0
Say = Callable[[str], None]


@dataclasses.dataclass
class Verdict:
    """What a run came to."""

    joins: int
    seconds: float
    told: int
    events: int
    blows: list[str]
    by_transport: dict[str, int]
    failed: dict[str, int]
    repeats: int
    violations: list[Violation]

    def lines(self) -> list[str]:
        """For people."""
        kinds = {kind: sum(v.kind == kind for v in self.violations) for kind in ("missing", "twice", "out of order")}
        return [
            f"{self.joins} joins in {self.seconds:.1f} s ({self.joins / self.seconds:.0f}/s): {self.by_transport}",
            f"refused or cut before an answer: {self.failed}",
            f"{self.events} events, {self.repeats} appends tried again, {self.told} events told",
            f"{len(self.blows)} restarts: {', '.join(self.blows)}",
            f"violations: {len(self.violations)} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})",
            *map(str, self.violations[:50]),
        ]


class Striker(threading.Thread):
    """Strikes when the joins have come so far."""

    def __init__(self, options: Options, stack: Stack, crowd: Crowd, say: Say) -> None:
        super().__init__(daemon=True, name="striker")
        self._stack, self._crowd, self._say = stack, crowd, say
        self._left = plan(options)
        self.struck: list[str] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        """Strikes one after the other; what goes wrong is told in the end."""
        try:
            for blow in self._left:
                wait_for(lambda at=blow.at_join: self._crowd.joins >= at, f"{blow.at_join} joins", 600)  # type: ignore[misc]
                self._say(f"{self._crowd.joins} joins: {blow}")
                blow.strike(self._stack)
                self.struck.append(str(blow))
        except BaseException as error:
            self.error = error
            self._crowd.give_up()


def run(options: Options, folder: Path, say: Say) -> Verdict:
    """Runs once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 20_000)), hard))
    redis = RedisPart(folder / "redis", "redis", appendfsync="always")
    stack = Stack(folder / "home", redis, **_ENVIRONMENT)
    try:
        stack.start(worker=False, relay=True)
        return _run(options, stack, say)
    finally:
        stack.close()
        redis.stop(kill=True)


def _run(options: Options, stack: Stack, say: Say) -> Verdict:
    sessions = [f"soak-{number}-{uuid.uuid4()}" for number in range(options.sessions)]
    bus = open_bus(stack.settings())
    feeder = Feeder(bus, sessions, options.events_per_second, random.Random(options.seed))
    crowd = Crowd(options, stack.port, sessions)
    striker = Striker(options, stack, crowd, say)
    began = time.monotonic()
    feeder.start()
    striker.start()
    asyncio.run(crowd.wander())
    took = time.monotonic() - began
    striker.join(options.finish_seconds)
    feeder.stop()
    bus.close_connections()
    if striker.error is not None or striker.is_alive():
        raise striker.error or AssertionError("a restart hangs")
    stack.wait_web()
    stack.settled()
    held = held_by_database(stack.home / "spanfeed.db")
    asyncio.run(crowd.finish(held, options.finish_seconds))
    leaks = list(_leaks(stack))
    return Verdict(
        crowd.joins,
        took,
        sum(len(life.seen) for life in crowd.lives),
        sum(map(len, held.values())),
        striker.struck,
        dict(crowd.by_transport),
        dict(crowd.failed),
        feeder.repeats,
        [*judge(crowd.lives, held, feeder.emitted), *leaks],
    )


def _leaks(stack: Stack) -> Iterator[Violation]:
    """Sockets of clients that are gone, and other descriptors that are left in relay and web processes."""
    for name in ("relay", "web"):
        main = psutil.Process(stack.processes[name].pid)
        for process in (main, *main.children()):
            until = time.monotonic() + _LET_GO_SECONDS
            while (held := _held(process, stack.port)) and time.monotonic() < until:
                time.sleep(0.1)
            if held or process.num_fds() > _DESCRIPTORS_LIMIT:
                yield Violation("leak", f"{name} {process.pid}: {held} clients, {process.num_fds()} descriptors")


def _held(process: psutil.Process, port: int) -> int:
    found = process.net_connections("tcp")
    return sum(one.laddr.port == port and one.status != psutil.CONN_LISTEN for one in found)

"""Clocks that jump by an hour: kind 12."""

from __future__ import annotations

import functools
import random
import signal
import time
from pathlib import Path

from tests.faults.run import Run


@functools.cache
def _library() -> str:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else ""


def missing(_: Run) -> str:
    """Why it cannot be had."""
    return "" if _library() else "libfaketime is not installed (Debian's package faketime)"


def jump(run: Run, rng: random.Random) -> str:
    """Kind 12: the clock of Redis or of a worker is an hour off for a while: it jumps there, and back."""
    shift = rng.choice(["+1h", "-1h"])
    seconds = rng.uniform(2.0, 4.0)
    # Only what people call the time: a clock that counts from the start of a machine does not jump.
    environment = {"LD_PRELOAD": _library(), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    if rng.random() < 0.5:
        run.world.later(lambda: _jump_redis(run, environment, seconds))
        return f"the clock of redis is {shift} for {seconds:.1f} s"
    name = rng.choice(run.world.fleet.named("worker"))

    def jump_worker() -> None:
        run.world.fleet.replace(name, signal.SIGKILL, **environment)
        time.sleep(seconds + 4)
        run.world.fleet.replace(name, signal.SIGKILL)

    run.world.later(jump_worker)
    return f"the clock of {name} is {shift} for {seconds + 4:.1f} s"


def _jump_redis(run: Run, environment: dict[str, str], seconds: float) -> None:
    redis = run.world.redis
    with run.world.store_lock:
        redis.stop(kill=True)
        redis.environment = environment
        redis.start()
        time.sleep(seconds)
        redis.stop(kill=True)
        redis.environment = {}
        redis.start()

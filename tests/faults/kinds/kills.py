"""Processes that are killed, frozen or replaced: kinds 1 to 5 and 19."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

from tests.faults.options import LEASE_SECONDS, MOMENTS, STAGES
from tests.faults.run import Run


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_child(run: Run, rng: random.Random) -> str:
    """Kind 1: a worker's child, at a named place of a stage or wherever it is."""
    if rng.random() < 0.7:
        place = f"{rng.choice(STAGES)}.{rng.choice(MOMENTS)}"
        run.world.arm(place)
        return f"the next child at {place} is killed"
    name = rng.choice(run.world.fleet.named("worker"))
    children = run.world.fleet.children(name)
    if children:
        _kill(rng.choice(children))
    return f"a child of {name} is killed"


def kill_worker(run: Run, rng: random.Random) -> str:
    """Kind 2: a whole worker, or only its main process."""
    name = rng.choice(run.world.fleet.named("worker"))
    only_parent = rng.random() < 0.3
    run.world.fleet.send(name, signal.SIGKILL, only_parent)
    return f"{name} is killed{', its children are not' if only_parent else ''}"


def kill_recorder(run: Run, rng: random.Random) -> str:
    """Kind 3: a recorder, between commit and acknowledgement or anywhere."""
    if rng.random() < 0.6:
        run.world.arm("recorder.committed")
        return "the next recorder that has committed is killed"
    name = rng.choice(run.world.fleet.named("recorder"))
    run.world.fleet.send(name, signal.SIGKILL)
    return f"{name} is killed"


def kill_web(run: Run, rng: random.Random) -> str:
    """Kind 4: a web server with its open sockets."""
    name = rng.choice(run.world.fleet.named("web"))
    run.world.fleet.send(name, signal.SIGKILL)
    return f"{name} is killed"


def freeze(run: Run, rng: random.Random) -> str:
    """Kind 5: somebody sleeps through its lease and wakes up as a zombie."""
    low, high = run.world.options.freeze_seconds
    seconds = max(LEASE_SECONDS + 0.5, rng.uniform(low, high))
    whom = rng.choice(["worker", "worker", "child", "recorder", "web", "redis"])
    if whom == "redis":
        seconds = rng.uniform(0.5, 2.0)
        run.world.later(lambda: _freeze_redis(run, seconds))
        return f"redis is frozen for {seconds:.1f} s"
    name = rng.choice(run.world.fleet.named("worker" if whom == "child" else whom))
    family = run.world.fleet.family(name)
    if whom == "child":
        family = [rng.choice(family[1:])] if family[1:] else family
    for process in family:
        with contextlib.suppress(Exception):
            process.suspend()

    def wake() -> None:
        time.sleep(seconds)
        for process in family:
            with contextlib.suppress(Exception):
                process.resume()

    run.world.later(wake)
    return f"{whom} of {name} is frozen for {seconds:.1f} s"


def _freeze_redis(run: Run, seconds: float) -> None:
    with run.world.store_lock:
        run.world.redis.signal(signal.SIGSTOP)
        time.sleep(seconds)
        run.world.redis.signal(signal.SIGCONT)


def deploy(run: Run, rng: random.Random) -> str:
    """Kind 19: everything is replaced while it is busy, one half after the other."""
    first = rng.randrange(2)

    def roll() -> None:
        for number in (first, 1 - first):
            for name in (f"worker-{number}", f"recorder-{number}", f"web-{number}"):
                run.world.fleet.replace(name)

    run.world.later(roll)
    return "everything is replaced"

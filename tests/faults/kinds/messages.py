"""What lies in Redis and should not: kinds 13, 14, 17 and 20."""

from __future__ import annotations

import random
import time

import orjson
import redis

from tests.faults.options import GROUP, LOG, STAGES
from tests.faults.run import Run

_LOOK_SECONDS = 3.0


def duplicate_task(run: Run, rng: random.Random) -> str:
    """Kind 13: the broker delivers a stage's message more than once."""
    copies = rng.randint(1, 3)
    run.world.later(lambda: _copy_message(run, copies))
    return f"a stage's message is delivered {copies} more times"


def _copy_message(run: Run, copies: int) -> None:
    deadline = time.monotonic() + _LOOK_SECONDS
    with run.world.store_lock:
        client = run.world.raw()
        while time.monotonic() < deadline:
            for packed in client.hvals("unacked"):
                message, _, queue = orjson.loads(packed)
                if queue.removeprefix("spanfeed.") in STAGES:
                    client.lpush(queue, *[orjson.dumps(message)] * copies)
                    return
            time.sleep(0.005)


def duplicate_entry(run: Run, rng: random.Random) -> str:
    """Kind 14: the log holds an event a second time, behind newer ones."""
    bodies = list(run.witness.bodies.values())
    count = rng.randint(1, 5)
    with run.world.store_lock:
        for body in rng.choices(bodies, k=count):
            run.world.raw().xadd(LOG, {"e": body})
    return f"{count} old entries are written again"


def poison(run: Run, rng: random.Random) -> str:
    """Kind 17: entries that are no events."""
    session_id = rng.choice(run.sessions)
    bodies = [
        b"\x00\x01\x02",
        b'{"id":"\\ud800"}',
        b'{"id":1,"event_data":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"id":' + b"9" * 40 + b"}",
        b'["a list"]',
        b'{"session_id":"' + session_id.encode() + b'","id":{"a":1}}',
        b'{"session_id":"' + session_id.encode() + b'","id":',
        b"x" * 1_000_000,
    ]
    chosen = rng.sample(bodies, 3)
    with run.world.store_lock:
        for body in chosen:
            entry_id = run.world.raw().xadd(LOG, {"e": body})
            run.world.poison.append(str(entry_id.decode()))
        run.world.poison.append(str(run.world.raw().xadd(LOG, {"other": b"field"}).decode()))
    return f"{len(chosen) + 1} entries of poison"


def destroy_group(run: Run, rng: random.Random) -> str:
    """Kind 20: the recorders' group is gone."""
    with run.world.store_lock:
        try:
            run.world.raw().xgroup_destroy(LOG, GROUP)
        except redis.exceptions.ResponseError as error:
            return f"there was no group: {error}"
    return "the recorders' group is destroyed"

"""A message in pickle is refused by a real worker, and nothing of it is run."""

from __future__ import annotations

import base64
import json
import os
import pickle
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.parts.stack import Stack
from tests.parts.waiting import wait_for


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_refused_and_not_run(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """Without this whoever can write into the broker could run anything in the workers."""
    made = tmp_path / "made-by-the-bomb"
    body = pickle.dumps(((Bomb(made),), {}, {}))
    stack = make_stack()
    stack.start_worker()
    task_id = str(uuid.uuid4())
    message = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "binary",
        "content-type": "application/x-python-serialize",
        "headers": {"lang": "py", "task": "spanfeed.receive", "id": task_id, "root_id": task_id, "argsrepr": ""},
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "spanfeed.receive"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }
    client = stack.redis.client()
    client.lpush("spanfeed.receive", json.dumps(message))
    wait_for(lambda: "ContentDisallowed" in stack.log("worker"), "the worker's refusal")
    wait_for(lambda: not client.llen("spanfeed.receive") and not client.hlen("unacked"), "the message's end")
    assert not made.exists()
    # What it was meant to do, it does when it is unpickled: the test would see it.
    pickle.loads(body)
    assert made.exists()

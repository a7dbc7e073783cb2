"""The two programs of first_event.py and burst.py on one Redis: a whole Spanfeed, and the naive app."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx
import psutil

from benchmarks.feed_reader import FeedReader
from benchmarks.processes import Program, cpu_seconds, environment_with, worker
from tests.parts.ports import free_port
from tests.parts.redis_part import RedisPart
from tests.parts.stack import KEY, Stack
from tests.parts.waiting import wait_for

PEER = "naive Flask app (flask-sock, redis-py pub/sub)"


class Side(Protocol):
    """A program with a POST and a feed."""

    port: int
    post_path: str
    headers: Mapping[str, str]

    def open_feed(self, session_id: str) -> FeedReader:
        """A feed that is live."""

    def body(self, session_id: str) -> dict[str, Any]:
        """What is posted."""

    def web_cpu_seconds(self) -> float:
        """CPU time of the web server's processes."""


class OurSide:
    """Web, worker and recorder as real processes."""

    post_path = "/chat/"
    headers: Mapping[str, str] = {"X-API-Key": KEY, "Prefer": "respond-async"}

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.port = stack.port

    def open_feed(self, session_id: str) -> FeedReader:
        """A feed that has said `connection`."""
        feed = FeedReader(self.port, f"/chat/ws/events/{session_id}", {"X-API-Key": KEY})
        while json.loads(feed.next())["type"] != "connection":
            pass
        return feed

    def body(self, session_id: str) -> dict[str, Any]:
        """A greeting: it needs no search."""
        return {"message": "Hello", "session_id": session_id}

    def web_cpu_seconds(self) -> float:
        """See Side."""
        return cpu_seconds(psutil.Process(self.stack.processes["web"].pid))


class NaiveSide:
    """The naive app's web server; its worker runs beside it."""

    post_path = "/chat"
    headers: Mapping[str, str] = {}

    def __init__(self, program: Program, port: int) -> None:
        self._program = program
        self.port = port
        wait_for(self._ready, f"the naive app's readiness; its log: {program.log}", 30)

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.port}/ready", timeout=2).status_code == 200
        return False

    def open_feed(self, session_id: str) -> FeedReader:
        """A feed whose channel is subscribed."""
        feed = FeedReader(self.port, f"/feed/{session_id}", {})
        feed.next()
        return feed

    def body(self, session_id: str) -> dict[str, Any]:
        """See Side."""
        return {"message": "Hello", "session_id": session_id}

    def web_cpu_seconds(self) -> float:
        """See Side."""
        return self._program.cpu_seconds()


@contextlib.contextmanager
def both(server_kind: str) -> Iterator[tuple[OurSide, NaiveSide]]:
    """Starts both programs, with gunicorn's threads and two Celery children each, and ends them."""
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder, contextlib.ExitStack() as ends:
        home = Path(folder)
        server = RedisPart(home / "redis", server_kind, in_memory=False)
        ends.callback(server.stop)
        # A rewrite of the append-only file would fall on one side by chance.
        server.client().config_set("auto-aof-rewrite-percentage", 0)
        os.environ.update(environment_with({}))
        environment = {"REDIS_URL": server.url, "SPANFEED_BROKER_URL": "", "SPANFEED_HOME": str(home)}
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "--worker-class=gthread", "--threads=64", "--keep-alive=5"]
        command += ["--graceful-timeout=1", f"--bind=127.0.0.1:{port}", "benchmarks.naive_app:web"]
        program = ends.enter_context(Program(command, home / "naive-web.log", environment))
        ends.enter_context(worker("benchmarks.naive_app:worker", ("naive",), home / "naive-worker.log", environment))
        stack = Stack(home / "ours", server, LOG_LEVEL="WARNING")
        ends.callback(stack.close)
        start(stack)
        yield OurSide(stack), NaiveSide(program, port)


def start(stack: Stack) -> None:
    """Starts web, worker and recorder, and waits for one message's answer."""
    stack.start_web()
    stack.start_worker(wait=False)
    stack.start_recorder()
    reply = stack.ask("Hello", str(uuid.uuid4()))
    if reply.status_code != 200:
        raise RuntimeError(f"no answer: {reply.status_code}; the worker's log: {stack.log('worker')}")

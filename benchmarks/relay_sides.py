"""What is compared: servers with feeds, each with its own way of sending, and how they are started."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.load_clients import Audience, feeds, raw_subscriber, said_by
from benchmarks.processes import LineProcess, Program, cpu_seconds
from benchmarks.relay_senders import ANNOUNCED_SESSION, RAW_CHANNEL, RAW_SESSION, SESSION
from pipeline.bus.keys import session_channel
from tests.parts.ports import free_port
from tests.parts.redis_part import RedisPart
from tests.parts.stack import KEY, Stack
from tests.parts.waiting import wait_for

EVENT_BYTES = 700
"""What a client gets of each event, for all sides."""
_SPARE_THREADS = 32
_UNLIMITED = "1000000"


class Side:
    """A server with feeds. `kind` is its way of sending, see `relay_publisher`."""

    name: str
    label: str
    kind: str
    protocol = "greeted"
    path: str
    header = ""
    ready_path = "/ready"
    idle_clients = 10_000
    """On how many feeds the idle one is weighed: fewer where each costs a thread."""
    first_rate = 20.0
    """Events a second to a thousand clients from where the highest rate is sought."""
    python = sys.executable
    accepts_late = False
    """Whether the server answers who sends when it has delivered, so that sending always takes as long."""

    def __init__(self, home: Path, part: RedisPart, clients: int) -> None:
        self.home, self.part, self.port = home / self.name, part, free_port()
        self.home.mkdir()
        self._ends = contextlib.ExitStack()
        self._publisher: LineProcess | None = None
        self._processes: Callable[[], list[psutil.Process]] = list
        try:
            self._start(clients)
        except BaseException:
            self.stop()
            raise

    def _start(self, clients: int) -> None:
        """Starts the server for so many feeds."""
        raise NotImplementedError

    def _run(self, command: list[str], **environment: str) -> None:
        program = self._ends.enter_context(Program(command, self.home / "server.log", environment))
        self._processes = lambda: [program._top]
        try:
            wait_for(self._answers, f"the answer of {self.label}", 30)
        except AssertionError as error:
            error.add_note(program.log.read_text(errors="replace"))
            raise

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.port}{self.ready_path}", timeout=2).status_code == 200
        return False

    def feeds(self, clients: int, sessions: int, at_once: int = 64) -> contextlib.AbstractContextManager[Audience]:
        """Open feeds of so many sessions, made so many at a time."""
        return contextlib.closing(feeds(self.port, self.protocol, self.path, self.header, clients, sessions, at_once))

    def publish(self, events: int, sessions: int, rate: float, batch: int) -> dict[str, Any]:
        """Sends events and waits until that is done; gives how long it took and how much of a core."""
        publisher = self.publisher()
        asked = {"events": events, "sessions": sessions, "rate": rate, "batch": batch}
        publisher.tell(json.dumps(asked))
        return said_by(publisher)

    def publisher(self) -> LineProcess:
        """The process that sends; it is started when it is wanted first, which takes its time."""
        if self._publisher is not None:
            return self._publisher
        command = [self.python, "-m", "benchmarks.relay_publisher", self.kind, self._target(), str(EVENT_BYTES)]
        publisher = LineProcess(command)
        self._ends.callback(publisher.close)
        if publisher.heard() != "ready":
            raise RuntimeError(f"the publisher of {self.label} could not begin")
        self._publisher = publisher
        return publisher

    def _target(self) -> str:
        return self.part.url

    def let_go(self, sessions: int) -> None:
        """After feeds were closed: brings a server that has not noticed to give their threads back."""

    def cpu_seconds(self) -> float:
        """CPU time of the server's processes."""
        return sum(cpu_seconds(process) for process in self._processes())

    def memory_bytes(self) -> int:
        """Memory of the server's processes; what several share counts once."""
        every = [one for process in self._processes() for one in [process, *process.children(recursive=True)]]
        return sum(one.memory_full_info().pss for one in every)

    def stop(self) -> None:
        """Ends all that it has started."""
        self._ends.close()


class Ours(Side):
    """gunicorn and a relay."""

    name, label = "ours", "Spanfeed"
    kind = "append"
    path, header, ready_path = f"/chat/ws/events/{SESSION}", f"X-API-Key: {KEY}", "/healthz"
    first_rate = 60.0

    def _start(self, clients: int) -> None:
        limits = {
            "SPANFEED_FEED_SOCKETS_LIMIT": _UNLIMITED,
            "SPANFEED_FEED_SOCKETS_PER_SESSION_LIMIT": _UNLIMITED,
            # No recorder runs beside it, so all that a slow client may have missed must be here.
            "SPANFEED_SESSION_STREAM_LIMIT_EVENTS": "100000",
            "SPANFEED_LOG_LIMIT_EVENTS": "100000000",
            "LOG_LEVEL": "WARNING",
        }
        stack = Stack(self.home, self.part, **limits)
        self._ends.callback(stack.close)
        self.port = stack.port
        # The relay says that it serves at the level INFO.
        stack.environment["LOG_LEVEL"] = "INFO"
        stack.start_relay()
        stack.environment["LOG_LEVEL"] = "WARNING"
        stack.start_web()
        self._processes = lambda: [psutil.Process(one.pid) for one in stack.processes.values()]


class OursAnnounced(Ours):
    """The same, told only what the append script announces: as little work for the emitter as the peers have."""

    name, label = "oursannounced", "Spanfeed, announced only"
    kind, path = "announce", f"/chat/ws/events/{ANNOUNCED_SESSION}"


class Naive(Side):
    """gunicorn, flask-sock, a thread and a Redis connection for each feed."""

    name, label = "naive", "naive Flask app (flask-sock, gthread)"
    kind, path = "naive", "/feed/{}"
    idle_clients = 1_000

    def _start(self, clients: int) -> None:
        threads = min(clients, self.idle_clients) + _SPARE_THREADS
        command = [sys.executable, "-m", "gunicorn", "--worker-class=gthread", f"--threads={threads}"]
        command += [f"--bind=127.0.0.1:{self.port}", "--backlog=4096", "--worker-connections=100000"]
        command += ["--graceful-timeout=1", "benchmarks.naive_app:web"]
        self._run(command, REDIS_URL=f"{self.part.url}?max_connections=100000")

    def let_go(self, sessions: int) -> None:
        """See Side."""
        client = self.part.client()

        def alone() -> bool:
            # A closed connection is noticed when something is sent.
            channels = client.pubsub_channels("naive:*")
            for channel in channels:
                client.publish(channel, "x")
            return not channels

        wait_for(alone, "the end of the naive app's feeds", 30)


class Raw(Side):
    """redis-py in place of web server, relay and clients; `Bus.append` sends."""

    name, label = "raw", "raw redis-py SUBSCRIBE to the same events"
    kind = "raw_append"
    channel = session_channel(RAW_SESSION)

    def _start(self, clients: int) -> None:
        pass

    def feeds(self, clients: int, sessions: int, at_once: int = 64) -> contextlib.AbstractContextManager[Audience]:
        """See Side; there is one client."""
        return contextlib.closing(raw_subscriber(self.part.url, self.channel, sessions))


class RawPublish(Raw):
    """A bare PUBLISH to redis-py."""

    name, label = "rawpublish", "raw redis-py SUBSCRIBE to a bare PUBLISH"
    kind, channel = "raw_publish", RAW_CHANNEL


def raise_files_limit() -> None:
    """Lets this process and those that it starts have as many open files as they may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

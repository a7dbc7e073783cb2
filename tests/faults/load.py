"""The load: people who send messages until they are accepted, and an emitter of events of its own."""

from __future__ import annotations

import random
import threading
import uuid
from typing import Any

import httpx

from pipeline import settings as settings_table
from pipeline.bus import open_bus
from pipeline.errors import BusUnavailable
from pipeline.event import Category, Identity, Priority, State, Status
from tests.faults.journal import Post
from tests.faults.options import KEY, QUESTION
from tests.faults.world import World
from tests.parts.stack import NO_TLS

_TIMEOUT_SECONDS = 6.0
_WAITING_SECONDS = 30.0
_PAUSE_SECONDS = 0.3
# What a server in trouble may say; anything else is a violation.
_TRY_AGAIN = {429, 500, 502, 503, 504}


class Sender(threading.Thread):
    """Sends one message after the other; each by one idempotency key, until it is accepted."""

    def __init__(self, world: World, name: str, sessions: list[str], pause_seconds: float, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.posts: list[Post] = []
        self._world = world
        self._sessions = sessions
        self._pause_seconds = pause_seconds
        self._rng = random.Random(f"{name}/{seed}")
        self._over = threading.Event()

    def stop(self) -> None:
        """No new message; the one at hand is still sent until it is accepted."""
        self._over.set()

    def run(self) -> None:
        """Sends until told to stop."""
        while not self._over.wait(self._rng.uniform(0.5, 1.5) * self._pause_seconds):
            number = len(self.posts)
            marker = f"{QUESTION} ({self.name} number {number})"
            post = Post(marker, self._rng.choice(self._sessions), self._rng.random() < 0.15)
            self.posts.append(post)
            self._insist(post, str(uuid.UUID(int=self._rng.getrandbits(128), version=4)))

    def _insist(self, post: Post, key: str) -> None:
        headers = {"X-API-Key": KEY, "Idempotency-Key": key}
        if not post.waiting:
            headers["Prefer"] = "respond-async"
        body = {"message": post.marker, "session_id": post.session_id}
        timeout = _WAITING_SECONDS if post.waiting else _TIMEOUT_SECONDS
        pause = threading.Event()
        for _ in range(200):
            proxy = self._rng.choice(self._world.web_proxies)
            try:
                reply = httpx.post(
                    f"http://127.0.0.1:{proxy.port}/chat/",
                    json=body,
                    headers=headers,
                    timeout=timeout,
                    trust_env=False,
                    verify=NO_TLS,
                )
            except httpx.HTTPError:
                pause.wait(_PAUSE_SECONDS)
                continue
            if _take(post, reply):
                return
            pause.wait(_PAUSE_SECONDS)


def _take(post: Post, reply: httpx.Response) -> bool:
    """Writes down what a reply says; False when the message has to be sent again."""
    try:
        said: dict[str, Any] = reply.json()
    except ValueError:
        said = {}
    message_id = said.get("message_id")
    if reply.status_code in {200, 202} and message_id:
        post.message_ids.append(message_id)
        if reply.status_code == 200:
            post.answers.append(said["answer"])
        return True
    if reply.status_code == 503 and message_id:
        # It was accepted, and has failed.
        post.message_ids.append(message_id)
        return True
    if reply.status_code not in _TRY_AGAIN:
        post.refusals.append(f"{reply.status_code} {reply.text[:200]}")
        return True
    return False


class Emitter(threading.Thread):
    """Writes events by the product's own bus, each by one emitter key until it is told that it is written."""

    def __init__(self, world: World, session_id: str, per_second: float) -> None:
        super().__init__(name="emitter", daemon=True)
        self.marks: list[str] = []
        self._session_id = session_id
        self._per_second = per_second
        self._bus = open_bus(settings_table.load({**world.environment, "SPANFEED_FAILPOINTS": _failpoints(world)}))
        self._over = threading.Event()

    def stop(self) -> None:
        """No new event; the one at hand is still written."""
        self._over.set()

    def run(self) -> None:
        """Writes until told to stop."""
        identity = Identity("job.progress", Category.WORKFLOW, Priority.NORMAL, self._session_id)
        number = 0
        while not self._over.wait(1 / self._per_second):
            number += 1
            mark = f"mark-{number}"
            state = State(Status.PROGRESS, "Working…", {"mark": mark})
            pause = threading.Event()
            while True:
                try:
                    self._bus.append(identity, state, emitter_key=f"{self._session_id}/{mark}")
                    break
                except BusUnavailable:
                    pause.wait(0.1)
            self.marks.append(mark)
        self._bus.close_connections()


def _failpoints(world: World) -> str:
    """Of the run's failpoints only those that switch something off: this process is not to be killed."""
    return ",".join(point for point in world.environment["SPANFEED_FAILPOINTS"].split(",") if point.endswith("=on"))

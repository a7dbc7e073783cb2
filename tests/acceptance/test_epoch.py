"""Redis goes back to an older state while it is used: clients are told, and everything ends."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.bus import keys
from pipeline.store import events as stored_events
from tests.parts.feed_client import FeedClient
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for

QUESTION = "What is a turnip?"


class Poller:
    """Follows a session by polling, as the reference says: it keeps the epoch, and begins anew when told so."""

    def __init__(self, stack: Stack, session_id: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.resets: list[str] = []
        self._stack, self._session_id = stack, session_id
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        cursor: dict[str, Any] = {"after": 0}
        with self._stack.client() as client:
            while not self._stopped.wait(0.1):
                try:
                    reply = client.get(f"/chat/events/{self._session_id}", params={**cursor, "limit": 500})
                except httpx.HTTPError:
                    continue
                if reply.status_code != 200:
                    continue
                page = reply.json()
                if page.get("reset"):
                    self.resets.append(page["reason"])
                    self.events = []
                self.events += page["events"]
                cursor = {"after": page["next_after"], "epoch": page["epoch"] or cursor.get("epoch")}
                cursor = {name: value for name, value in cursor.items() if value is not None}

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()
        self._thread.join(20)


class Follower:
    """Follows a session by a WebSocket, and connects again when it is cut."""

    def __init__(self, stack: Stack, session_id: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.resets: list[str] = []
        self._stack, self._session_id = stack, session_id
        self._cursor: dict[str, Any] = {"after": 0}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._stopped.wait(0.1):
            try:
                with self._stack.feed(self._session_id, **self._cursor) as feed:
                    self._cursor["epoch"] = feed.frames[0]["epoch"]
                    self._read(feed)
            except Exception:
                continue

    def _read(self, feed: FeedClient) -> None:
        while not self._stopped.is_set():
            try:
                frame = feed.next(0.2)
            except TimeoutError:
                continue
            if frame["type"] == "reset":
                self.resets.append(frame["reason"])
                self.events = []
                self._cursor = {"after": 0, "epoch": frame["epoch"]}
            elif frame["type"] == "event":
                self.events.append(frame["event"])
                self._cursor["after"] = frame["event"]["id"]

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()
        self._thread.join(20)


@pytest.fixture
def stack(make_stack: Callable[..., Stack], tmp_path: Path) -> Stack:
    """A Spanfeed whose search waits for the file `go`."""
    return make_stack(SPANFEED_FAILPOINTS=f"think.begun=hold@{tmp_path / 'go'}").start()


@pytest.fixture
def clients(stack: Stack) -> Iterator[tuple[Follower, Poller]]:
    """A WebSocket and a poller on the session `old`."""
    found = Follower(stack, "old"), Poller(stack, "old")
    yield found
    for one in found:
        one.stop()


def _copy_of_now(stack: Stack, data: Path, copy: Path) -> None:
    """A copy of the append-only file, as a backup takes it: no stop, nothing is rewritten meanwhile."""
    stack.redis.client().config_set("appendfsync", "always")
    shutil.copytree(data, copy)


def _restore(stack: Stack, data: Path, copy: Path) -> None:
    stack.redis.stop(kill=True)
    shutil.rmtree(data)
    shutil.copytree(copy, data)
    stack.redis.start()


def _all_stored(stack: Stack) -> list[int]:
    return [event.id for event in stored_events.session_events(stack.store, "old", 0, 10_000)]


def test_redis_is_restored_from_an_older_state(stack: Stack, clients: tuple[Follower, Poller], tmp_path: Path) -> None:
    """Without this, after a backup was put back, pages would wait for ever and questions would never be answered."""
    follower, poller = clients
    (tmp_path / "go").touch()
    data, copy = stack.redis.files, tmp_path / "copy"
    assert stack.ask(QUESTION, "old").status_code == 200
    stack.settled()
    (tmp_path / "go").unlink()
    in_flight = stack.ask_async(QUESTION, "old")
    wait_for(
        lambda: any(e["event_type"] == "agent_thinking" and e["message_id"] == in_flight for e in poller.events),
        "the stage that is in flight",
    )
    _copy_of_now(stack, data, copy)
    after_copy = stack.ask_async(QUESTION, "old")
    wait_for(lambda: any(e["message_id"] == after_copy for e in follower.events), "the message after the copy")
    stack.settled()
    epoch = stack.redis.client().hget(keys.CLOCK, "epoch")
    _restore(stack, data, copy)
    (tmp_path / "go").touch()
    stack.revive("worker")
    wait_for(lambda: stack.redis.client().hget(keys.CLOCK, "epoch") != epoch, "a new epoch")

    for message_id in (in_flight, after_copy):
        wait_for(lambda message_id=message_id: _ended(stack, message_id), "the end of every message", 60)
    stack.settled()
    stored = _all_stored(stack)
    for client in clients:
        wait_for(lambda client=client: [e["id"] for e in client.events] == stored, "the list of the database")
        # Whoever asks before the recorder has looked is told that its cursor lies in the future.
        assert client.resets[-1] == "epoch"
    assert stored == sorted(set(stored))
    assert "Redis has lost data" in stack.log("recorder")
    assert "log_lost" in _alerts(stack)


def _ended(stack: Stack, message_id: str) -> bool:
    with stack.client() as client:
        messages = client.get("/chat/old").json()["messages"]
    mine = [message for message in messages if message["message_id"] == message_id]
    return bool(mine) and not stack.redis.client().zscore(keys.DUE, message_id) and _has_outcome(stack, message_id)


def _has_outcome(stack: Stack, message_id: str) -> bool:
    told = stored_events.message_events(stack.store, message_id, 1_000)
    return any((e.event_type, e.event_status) in {("saving_message", "completed"), ("error", "failed")} for e in told)


def _alerts(stack: Stack) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with stack.store.read() as connection:
            rows = connection.exec_driver_sql("SELECT event_data FROM events WHERE event_type = 'system.alert'").all()
        if rows:
            return str(rows)
        time.sleep(0.05)
    return ""

"""A deploy under load: SIGTERM to webs and workers, one after the other, costs nobody anything."""

from __future__ import annotations

import concurrent.futures
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from celery import Celery
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.acceptance.endings import check_endings
from tests.parts.feed_client import FeedClient, Frame
from tests.parts.ports import free_port
from tests.parts.stack import KEY, NO_TLS, Stack
from tests.parts.waiting import wait_for
from tests.stand_in import StandIn

TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"
CLIENTS = 20
_GONE_SECONDS = 3.0
_RESTART = 1012


@pytest.fixture
def model() -> Iterator[StandIn]:
    """The model behind all answers."""
    with StandIn() as stand_in:
        yield stand_in


def _model(model: StandIn) -> dict[str, str]:
    return {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test", "OPENAI_MODEL": model.model}


class Webs:
    """Two web processes of one Spanfeed, as behind a proxy."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._ports = {"web": stack.port, "web2": free_port()}
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports.values()]

    def start(self, name: str) -> None:
        """Starts one."""
        self._stack.environment["PORT"] = str(self._ports[name])
        self._stack.spawn(name, "gunicorn", "-c", "web/gunicorn_config.py", "web.wsgi:app")

    def wait(self, name: str) -> None:
        """Waits until one is ready."""
        url = f"http://127.0.0.1:{self._ports[name]}"

        def ready() -> bool:
            try:
                return httpx.get(f"{url}/readyz", timeout=2, verify=NO_TLS).status_code == 200
            except httpx.HTTPError:
                return False

        wait_for(ready, f"the readiness of {name}; its log: {self._stack.log(name)}", 30)


class Reader(threading.Thread):
    """A client that asks once, and follows its feed over whichever web process answers, without gaps."""

    def __init__(self, urls: list[str], number: int) -> None:
        super().__init__(daemon=True)
        self.session_id = f"deploy-{number}"
        self._urls = urls
        self._turn = number
        self._key = str(uuid.uuid4())
        self.events: list[Frame] = []
        self.closes: list[tuple[int, str]] = []
        self.cuts: list[str] = []

    def run(self) -> None:
        """Asks, then reads until the message's ending."""
        deadline = time.monotonic() + 90
        while not self._ask() and time.monotonic() < deadline:
            self._turn += 1
            time.sleep(0.05)
        while not self._follow() and time.monotonic() < deadline:
            self._turn += 1
            time.sleep(0.05)

    @property
    def _url(self) -> str:
        return self._urls[self._turn % len(self._urls)]

    def _ask(self) -> bool:
        headers = {"X-API-Key": KEY, "Prefer": "respond-async", "Idempotency-Key": self._key}
        body = {"message": QUESTION, "session_id": self.session_id}
        try:
            reply = httpx.post(f"{self._url}/chat/", json=body, headers=headers, timeout=20, verify=NO_TLS)
            return reply.status_code == 202
        except httpx.ConnectError:
            # The process is gone; the other one is asked.
            return False
        except httpx.HTTPError as error:
            # A connection that the ending process had not taken yet is reset by the kernel: nobody has seen it.
            if not (isinstance(error, httpx.ReadError) and "reset by peer" in str(error)):
                self.cuts.append(repr(error))
            return False

    def _follow(self) -> bool:
        after = self.events[-1]["id"] if self.events else 0
        try:
            client = FeedClient(self._url, self.session_id, KEY, after=after)
        except (OSError, WebSocketException):
            return False
        try:
            client.until_ended()
            return True
        except ConnectionClosed as closed:
            self.closes.append((closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (0, ""))
            return False
        finally:
            self.events += client.events
            client.socket.close()


def _end_gracefully(stack: Stack, name: str, within_seconds: float) -> None:
    process = stack.processes.pop(name)
    process.send_signal(signal.SIGTERM)
    assert process.wait(within_seconds) == 0, stack.log(name)


def test_a_rolling_restart_under_load(make_stack: Callable[..., Stack], model: StandIn) -> None:
    """Without this every deploy would cost some users their answer, or an event of it."""
    stack = make_stack(**_model(model))
    stack.add_document("zebra.md", TURNIPS)
    webs = Webs(stack)
    pairs = (("web", "one"), ("web2", "two"))
    stack.start_recorder()
    for web, worker in pairs:
        webs.start(web)
        stack.start_worker(worker, wait=False)
    for web, worker in pairs:
        webs.wait(web)
        stack.wait_worker(worker)
    model.script(words=["Quillon ", "eats ", "seven ", "turnips ", "[1]."], pace_seconds=0.2)
    readers = [Reader(webs.urls, number) for number in range(CLIENTS)]
    for reader in readers:
        reader.start()
    model.wait_for_requests(2, timeout=60)
    for web, worker in pairs:
        _end_gracefully(stack, web, _GONE_SECONDS)
        _end_gracefully(stack, worker, 20)
        (stack.home / f"{worker}.log").unlink()
        stack.start_worker(worker, wait=False)
        webs.start(web)
        webs.wait(web)
        stack.wait_worker(worker)
    for reader in readers:
        reader.join(60)
        assert not reader.is_alive(), reader.session_id
    for reader in readers:
        assert reader.events == stack.events(reader.session_id)
        check_endings(reader.events)
        assert reader.events[-1]["event_type"] == "saving_message"
        # Nobody's stage was taken away, tried again or failed.
        assert {event["attempt"] for event in reader.events} == {1}
        assert {code for code, _ in reader.closes} <= {_RESTART}
        assert reader.cuts == []
    hints = [hint for reader in readers for _, hint in reader.closes]
    assert hints
    assert all("try again in" in hint for hint in hints)


def test_a_web_process_that_ends_leaves_nobody_hanging(make_stack: Callable[..., Stack], model: StandIn) -> None:
    """Without this a request that waits for its answer would be cut off by a deploy, its message's id unknown."""
    stack = make_stack(**_model(model)).start()
    model.script(words=["late"], step=True)
    with concurrent.futures.ThreadPoolExecutor(1) as pool, stack.feed("waiting") as feed:
        asking = pool.submit(stack.ask, QUESTION, "waiting")
        model.wait_for_requests(1, timeout=60)
        started = time.monotonic()
        _end_gracefully(stack, "web", _GONE_SECONDS)
        assert time.monotonic() - started < _GONE_SECONDS
        reply = asking.result(20)
        with pytest.raises(ConnectionClosed) as closed:
            feed.until_ended(seconds=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == _RESTART
    assert reply.status_code == 202, reply.text
    where = reply.headers["Location"]
    assert where.endswith(reply.json()["message_id"])
    model.release(1)
    stack.start_web()
    with stack.client() as client:
        wait_for(lambda: client.get(where).json()["answer"] == "late", "the answer")


def test_a_worker_finishes_what_it_holds(make_stack: Callable[..., Stack], model: StandIn) -> None:
    """Without this a deploy would begin long answers anew."""
    stack = make_stack(**_model(model)).start()
    model.script(words=["slow ", "answer"], step=True)
    with stack.feed("held") as feed:
        message_id = stack.ask_async(QUESTION, "held")
        model.wait_for_requests(1, timeout=60)
        ending = stack.processes.pop("worker")
        ending.send_signal(signal.SIGTERM)
        stack.start_worker("next")
        model.script(words=["quick"])
        # Longer than the worker would wait at the quick end.
        assert stack.ask(QUESTION, "other").json()["answer"] == "quick"
        wait_for(lambda: "Warm shutdown" in stack.log("worker"), "the warm shutdown")
        model.release(2)
        feed.until_ended(message_id)
        assert ending.wait(10) == 0
    assert {event["attempt"] for event in feed.events} == {1}
    assert "".join(chunk["text"] for chunk in feed.chunks) == "slow answer"


def _knows_as_active(stack: Stack, task_id: str) -> bool:
    """Whether the worker's main process has heard from its child that the task has begun."""
    with Celery("asking", broker=stack.redis.url, set_as_current=False) as app:
        active = app.control.inspect([f"worker@{socket.gethostname()}"], timeout=1, limit=1).active() or {}
    return any(task["id"] == task_id for tasks in active.values() for task in tasks)


def test_a_worker_that_must_end_hands_its_stages_back(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """Without this a worker that is ended quickly would leave its stages waiting for the end of their leases."""
    stack = make_stack(
        REMAP_SIGTERM="SIGQUIT",
        SPANFEED_LEASE_SECONDS="60",
        SPANFEED_FAILPOINTS=f"think.begun=hold@{tmp_path / 'go'}",
    )
    stack.start()
    with stack.feed("handed") as feed:
        message_id = stack.ask_async(QUESTION, "handed")
        started = feed.until_event("agent_thinking", "started")
        wait_for(lambda: _knows_as_active(stack, started["task_id"]), "the main process's knowledge of the task")
        ending = stack.processes.pop("worker")
        ending.send_signal(signal.SIGTERM)
        stack.start_worker("next", wait=False)
        again = feed.until_event("agent_thinking", "progress", 15)
        (tmp_path / "go").touch()
        feed.until_ended(message_id, 30)
        ending.wait(15)
    assert (again["reason"], again["attempt"]) == ("worker_lost", 2)
    check_endings(feed.events)

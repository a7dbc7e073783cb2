"""The processes as a platform or `spanfeed up` starts them, and what Flower shows."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.parts.feed_client import FeedClient
from tests.parts.ports import free_port
from tests.parts.postgres_part import PostgresPart
from tests.parts.redis_part import RedisPart
from tests.parts.stack import BIN, KEY, NO_TLS, ROOT, Stack
from tests.parts.waiting import wait_for
from tests.stand_in import StandIn

_FLOWER = ("spanfeed", "flower-test-password")
TURNIPS = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
QUESTION = "How many turnips does the zebra Quillon eat?"
TASKS = {f"spanfeed.{stage}" for stage in ("receive", "think", "search", "generate", "save")}


def _flower_tasks(url: str) -> dict[str, dict[str, Any]]:
    reply = httpx.get(f"{url}/api/tasks", auth=_FLOWER, timeout=5, verify=NO_TLS)
    return dict(reply.json()) if reply.status_code == 200 else {}


def test_flower_shows_the_tasks_and_no_message_text(make_stack: Callable[..., Stack]) -> None:
    """Without this an operator could not see the stages in Flower, or would see what users write."""
    port = free_port()
    stack = make_stack(SPANFEED_FLOWER_PORT=str(port), SPANFEED_FLOWER_PASSWORD="flower-test-password")
    stack.add_document("zebra.md", TURNIPS)
    stack.start()
    stack.spawn("flower", "spanfeed", "flower")
    url = f"http://127.0.0.1:{port}"

    def seen() -> dict[str, dict[str, Any]]:
        # Flower must hear of a worker before it keeps tasks; then a message shows.
        try:
            workers = httpx.get(f"{url}/api/workers", auth=_FLOWER, timeout=5, verify=NO_TLS)
        except httpx.HTTPError:
            return {}
        return dict(workers.json()) if workers.status_code == 200 else {}

    wait_for(seen, f"Flower's workers; its log: {stack.log('flower')}", 40)
    assert httpx.get(f"{url}/api/workers", timeout=20).status_code == 401
    secret = "Why is the heliotrope password hunter2 so weak"
    first = stack.ask(secret, "flower").json()
    with stack.client() as client:
        events = client.get("/chat/events/flower").json()["events"]

    def names(session_events: list[dict[str, Any]]) -> dict[str, str]:
        tasks = _flower_tasks(url)
        ids = {event["task_id"] for event in session_events if event["task_id"]}
        return {tasks[i]["name"]: i for i in ids if i in tasks and tasks[i].get("state") == "SUCCESS"}

    wait_for(lambda: set(names(events)) == TASKS, "five tasks in Flower", 20)
    assert all(event["task_id"] for event in events)
    stack.ask(secret, "flower")
    more = [event for event in stack.events("flower") if event["message_id"] != first["message_id"]]
    wait_for(lambda: set(names(more)) == TASKS | {"spanfeed.history"}, "six tasks in Flower", 20)
    told = httpx.get(f"{url}/api/tasks", auth=_FLOWER, timeout=20).text
    for word in ("heliotrope", "hunter2"):
        assert word not in told


def test_the_procfile_alone_is_enough(tmp_path: Path, valkey: RedisPart) -> None:
    """Without this a platform that reads a Procfile could not run Spanfeed."""
    stack = Stack(tmp_path / "home", valkey, SPANFEED_FLOWER_PORT=str(free_port()))
    stack.add_document("zebra.md", TURNIPS)
    processes = [line.split(":")[0] for line in (ROOT / "Procfile").read_text().splitlines() if line.strip()]
    assert set(processes) == {"web", "relay", "worker", "deliver", "beat", "recorder", "flower", "release"}
    environment = {**os.environ, **stack.environment, "PATH": f"{BIN}:{os.environ['PATH']}"}
    procfile = tmp_path / "Procfile"
    lines = (ROOT / "Procfile").read_text().splitlines()
    # A platform runs `release` once before the others.
    procfile.write_text("\n".join(line for line in lines if not line.startswith("release")) + "\n")
    release = next(line for line in lines if line.startswith("release")).partition(": ")[2]
    subprocess.run(release, shell=True, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=60)
    with (tmp_path / "honcho.log").open("wb") as log:
        honcho = subprocess.Popen(
            [str(BIN / "honcho"), "start", "-f", str(procfile), "-d", str(ROOT)],
            cwd=ROOT,
            env={**environment, "PORT": str(stack.port)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        stack.wait_web()
        with stack.feed("procfile") as feed:
            message_id = stack.ask_async(QUESTION, "procfile")
            ended = feed.until_ended(message_id, 60)
        assert ended["event_type"] == "saving_message"
        stack.settled()
        assert [e["id"] for e in stack.events("procfile")] == [e["id"] for e in feed.events]
    finally:
        children = psutil.Process(honcho.pid).children(recursive=True)
        honcho.send_signal(signal.SIGTERM)
        try:
            honcho.wait(15)
        except subprocess.TimeoutExpired:
            honcho.kill()
            honcho.wait(5)
        for child in children:
            if child.is_running():
                child.kill()
        stack.close()


class Up:
    """A `spanfeed up` of a test's own."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("SPANFEED", "OPENAI"))}
        given = {"SPANFEED_HOME": str(home), "PORT": str(self.port), "SPANFEED_FLOWER_PORT": str(free_port())}
        given |= {"SPANFEED_EXTRACTIVE_WORDS_PER_SECOND": "0", "SPANFEED_WORKER_PROCESSES": "2", **environment}
        home.mkdir(parents=True, exist_ok=True)
        self.log_file = home / "up.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [str(BIN / "spanfeed"), "up"],
                cwd=ROOT,
                env={**keep, **given},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        """What it printed."""
        return self.log_file.read_text(errors="replace")

    def wait(self) -> None:
        """Waits for the block."""
        wait_for(lambda: "curl " in self.said() or self.process.poll() is not None, "the block", 90)
        assert self.process.poll() is None, self.said()

    def key(self) -> str:
        """The key that it printed."""
        found = re.search(r"API key\s+(\S+)", self.said())
        assert found is not None
        return found[1]

    def programs(self) -> set[str]:
        """The names of the programs below it."""
        return {" ".join(child.cmdline()[:4]) for child in psutil.Process(self.process.pid).children(recursive=True)}

    def end(self) -> float:
        """Ctrl-C; how long it took, in seconds. Fails when a process is left."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        started = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(20)
        took = time.monotonic() - started
        _, left = psutil.wait_procs(family, timeout=1)
        assert left == []
        return took


@pytest.fixture
def make_up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Makes `spanfeed up`s, and ends them."""
    made: list[Up] = []

    def make(**environment: str) -> Up:
        up = Up(tmp_path / f"up{len(made)}", **environment)
        made.append(up)
        return up

    yield make
    for up in made:
        if up.process.poll() is None:
            for child in psutil.Process(up.process.pid).children(recursive=True):
                child.kill()
            up.process.kill()
            up.process.wait(5)


def test_up_serves_the_printed_line_and_ends_in_time(make_up: Callable[..., Up]) -> None:
    """Without this `make run` would not answer the line that it prints, or would leave processes behind."""
    up = make_up()
    up.wait()
    said = up.said()
    assert up.url in said
    assert "Flower" in said
    line = next(line for line in said.splitlines() if line.strip().startswith("curl "))
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60)
    body = json.loads(done.stdout)
    assert "PORT" in body["answer"], body
    assert body["sources"]
    with FeedClient(up.url, body["session_id"], up.key(), after=0) as feed:
        feed.until_ended(body["message_id"])
    assert feed.events[0]["event_type"] == "message_received"
    recorder = next(
        child for child in psutil.Process(up.process.pid).children(recursive=True) if child.cmdline()[-1:] == ["record"]
    )
    recorder.kill()
    wait_for(lambda: "recorder ended with signal 9; started again" in up.said(), "the recorder's restart")
    assert up.end() < 5


def test_up_uses_what_is_given_and_starts_nothing_for_it(
    make_up: Callable[..., Up], valkey: RedisPart, postgres: PostgresPart
) -> None:
    """Without this PostgreSQL, Redis and a model that are configured would not be used."""
    with StandIn() as model:
        up = make_up(
            REDIS_URL=valkey.url,
            DATABASE_URL=postgres.new_database(),
            OPENAI_BASE_URL=model.base_url,
            OPENAI_API_KEY="sk-given",
            OPENAI_MODEL=model.model,
            SPANFEED_API_KEY=KEY,
        )
        up.wait()
        assert KEY not in up.said()
        headers = {"X-API-Key": KEY}
        reply = httpx.post(f"{up.url}/chat/", headers=headers, json={"message": "What is a span?"}, timeout=60)
        assert reply.status_code == 200, reply.text
        assert len(model.requests) == 1
        assert valkey.client().xlen("sf:{0}:log") >= 0
        assert not (up.home / "redis").exists()
        assert not (up.home / "spanfeed.db").exists()
        assert not any("valkey" in program or "redis-server" in program for program in up.programs())
        assert up.end() < 5


def test_chroma_is_refused_in_one_sentence(make_up: Callable[..., Up]) -> None:
    """Without this a ChromaDB that is configured would silently not be searched."""
    up = make_up(CHROMA_HOST="localhost")
    assert up.process.wait(20) == 1
    assert len(up.said().strip().splitlines()) == 1
    assert "CHROMA_HOST" in up.said()

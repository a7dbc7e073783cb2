"""A whole Spanfeed of a test's own: web, worker, recorder as real processes on private servers."""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from pipeline import settings as settings_table
from pipeline.settings import Settings
from pipeline.store import Store, migrate, open_store
from pipeline.store.documents import DocumentIndex
from tasks.rag.ingest import add_path
from tasks.resources import INDEX_FILE
from tests.parts.feed_client import FeedClient
from tests.parts.ports import free_port
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
KEY = "sf_test-key-with-all-scopes"
STAGES = ("receive", "history", "think", "search", "generate", "save")
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify` of clients that speak plain HTTP: by default each first loads the trusted certificates, for 30 ms."""


class Stack:
    """Processes, each of which can be stopped, killed and started again by name."""

    def __init__(self, home: Path, redis: RedisPart, database_url: str = "", **environment: str) -> None:
        self.home = home
        self.redis = redis
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "SPANFEED_HOME": str(home),
            "REDIS_URL": redis.url,
            "DATABASE_URL": database_url,
            "PORT": str(self.port),
            "SPANFEED_API_KEY": KEY,
            "SPANFEED_SECRET_KEY": "a secret that is long enough for a test of the whole",
            "SPANFEED_WORKER_PROCESSES": "2",
            "SPANFEED_EXTRACTIVE_WORDS_PER_SECOND": "0",
            # A busy machine must not drop what a test then misses.
            "SPANFEED_EMIT_DEADLINE_MS": "5000",
            "SPANFEED_MESSAGES_PER_MINUTE": "100000",
            "SPANFEED_REQUESTS_PER_MINUTE": "100000",
            # Only what a test does is told.
            "SPANFEED_MONITORING_INTERVAL_SECONDS": "0",
            "LOG_LEVEL": "INFO",
            **environment,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        home.mkdir(parents=True, exist_ok=True)
        self.store: Store = open_store(self.settings())
        migrate.upgrade(self.store)

    def settings(self) -> Settings:
        """The settings of the processes."""
        return settings_table.load(self.environment)

    def spawn(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Starts a process of its own group; its output goes to <name>.log."""
        program = str(BIN / command[0])
        environment = {**os.environ, **self.environment, "PATH": f"{BIN}:{os.environ['PATH']}"}
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [program, *command[1:]], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self.processes[name] = process
        return process

    def start(self, *, worker: bool = True, recorder: bool = True, relay: bool = False) -> Stack:
        """Starts web, a worker and a recorder unless told otherwise, a relay if told; waits until they answer."""
        try:
            self._start(worker, recorder, relay)
        except BaseException:
            # A fixture that fails in its beginning is not asked to end what it has begun.
            self.close()
            raise
        return self

    def _start(self, worker: bool, recorder: bool, relay: bool) -> None:
        if relay:
            self.start_relay()
        self.start_web(wait=False)
        if worker:
            self.start_worker(wait=False)
        if recorder:
            self.start_recorder()
        self.wait_web()
        if worker:
            self.wait_worker("worker")

    def start_web(self, wait: bool = True) -> None:
        """Starts the web server."""
        self.spawn("web", "gunicorn", "-c", "web/gunicorn_config.py", "web.wsgi:app")
        if wait:
            self.wait_web()

    def wait_web(self) -> None:
        """Waits until the web server is ready."""
        wait_for(self._ready, f"the web server's readiness; its log: {self.log('web')}", 60)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2, verify=NO_TLS).status_code == 200
        except httpx.HTTPError:
            return False

    def start_worker(self, name: str = "worker", queues: str = "", wait: bool = True, **environment: str) -> None:
        """Starts a worker for all queues or some."""
        self.environment |= environment
        command = ["spanfeed", "worker", "--name", name, *(["--queues", queues] if queues else [])]
        self.spawn(name, *command)
        if wait:
            self.wait_worker(name)

    def revive(self, name: str) -> None:
        """Starts a worker again if it has exited, as a supervisor would: Celery's sometimes does when Redis goes."""
        if self.processes[name].poll() is not None:
            self.start_worker(name, wait=False)

    def wait_worker(self, name: str) -> None:
        """Waits until the worker consumes."""
        wait_for(lambda: " ready." in self.log(name), f"the worker's readiness; its log: {self.log(name)}", 60)

    def start_relay(self, number: int = 0, seconds: float = 60.0) -> None:
        """Starts a relay and waits until sockets can be handed over to it, for so long at most."""
        name = f"relay-{number}" if number else "relay"
        before = self.log(name).count("serves feeds")
        self.spawn(name, "spanfeed", "relay", "--number", str(number))
        wait_for(
            lambda: self.log(name).count("serves feeds") > before, f"the relay; its log: {self.log(name)}", seconds
        )

    def start_recorder(self) -> None:
        """Starts the recorder."""
        self.spawn("recorder", "spanfeed", "record")

    def log(self, name: str) -> str:
        """What a process has said."""
        file = self.home / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends a process, with its children."""
        self._end({name: number})

    def _end(self, numbers: dict[str, signal.Signals]) -> None:
        """Sends each process its signal, then waits for all of them, and kills the children that they leave."""
        ending = {self.processes.pop(name): number for name, number in numbers.items()}
        parents = [psutil.Process(process.pid) for process in ending if process.poll() is None]
        children = [child for parent in parents for child in parent.children(recursive=True)]
        for process, number in ending.items():
            process.send_signal(number)
        for process in ending:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()

    def close(self) -> None:
        """Ends everything at once: how each process ends when it is asked to has tests of its own."""
        self._end(dict.fromkeys(self.processes, signal.SIGKILL))
        self.store.close()

    # What a user does

    def client(self) -> httpx.Client:
        """An HTTP client with the key."""
        return httpx.Client(base_url=self.url, headers={"X-API-Key": KEY}, timeout=60, verify=NO_TLS)

    def ask(self, message: str, session_id: str | None = None, **more: Any) -> httpx.Response:
        """Sends a message and waits for the answer."""
        with self.client() as client:
            return client.post("/chat/", json={"message": message, "session_id": session_id, **more})

    def ask_async(self, message: str, session_id: str, **more: Any) -> str:
        """Sends a message and gives its id at once."""
        with self.client() as client:
            headers = {"Prefer": "respond-async"}
            reply = client.post("/chat/", json={"message": message, "session_id": session_id, **more}, headers=headers)
            assert reply.status_code == 202, reply.text
            return str(reply.json()["message_id"])

    def feed(self, session_id: str, **query: Any) -> FeedClient:
        """A WebSocket on the session's feed."""
        return FeedClient(self.url, session_id, KEY, **query)

    def events(self, session_id: str) -> list[dict[str, Any]]:
        """All events of the session, by polling."""
        found: list[dict[str, Any]] = []
        after = 0
        with self.client() as client:
            while True:
                page = client.get(f"/chat/events/{session_id}", params={"after": after, "limit": 500}).json()
                found += page["events"]
                if not page["has_more"]:
                    return found
                after = page["next_after"]

    def add_document(self, name: str, text: str, collection: str = "docs") -> None:
        """Indexes one file."""
        index = DocumentIndex(self.home / INDEX_FILE)
        add_path(index, collection, self.written(name, text, collection))
        index.close()

    def written(self, name: str, text: str, collection: str = "docs") -> Path:
        """A file that could be indexed."""
        folder = self.home / "documents" / collection
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        return folder / name

    def command(self, *arguments: str) -> str:
        """Runs a `spanfeed` command and gives what it printed."""
        done = subprocess.run(
            [str(BIN / "spanfeed"), *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def child_holding(self, message_id: str) -> int:
        """The process id of the child that holds the run's stage."""
        holder = self.redis.client().hget(f"sf:{{0}}:run:{message_id}", "holder")
        return int((holder or b"/0").decode().partition("/")[2])

    def settled(self) -> None:
        """Waits until the recorder has stored everything."""
        client = self.redis.client()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            newest = client.hget("sf:{0}:clock", "last")
            groups = client.xinfo_groups("sf:{0}:log") if client.exists("sf:{0}:log") else []
            if groups and all(
                g["pending"] == 0 and g["last-delivered-id"].decode().partition("-")[0] == (newest or b"0").decode()
                for g in groups
            ):
                return
            time.sleep(0.02)
        raise AssertionError(f"the recorder did not catch up; its log: {self.log('recorder')}")

"""The world of a run: servers, proxies, the model, the processes, and everybody who watches."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from pipeline import settings as settings_table
from pipeline.store import migrate, open_store
from tasks import documents
from tests.faults.environment import environment_of
from tests.faults.journal import Flush
from tests.faults.options import DOCUMENT, PLACES, WORDS, Options
from tests.faults.processes import Fleet
from tests.parts.ports import free_port
from tests.parts.postgres_part import PostgresPart
from tests.parts.proxy import TcpProxy
from tests.parts.redis_part import RedisPart
from tests.parts.stack import NO_TLS
from tests.parts.waiting import wait_for
from tests.stand_in import StandIn

_DURABLE = {"synchronous_commit": "on"}


class World:
    """Everything of one run. `close` ends it; journals stay in `folder`."""

    def __init__(self, options: Options, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.points = folder / "points"
        self.points.mkdir()
        self._disarm()
        self.flushes: list[Flush] = []
        self.poison: list[str] = []
        self.notes: list[str] = []
        self.store_lock = threading.RLock()
        """One fault of Redis or of the database at a time: two at once would hide each other."""
        self._later: list[threading.Thread] = []
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()

    def _open(self, stack: contextlib.ExitStack) -> None:
        # In memory where that can be had: while a disk is slow to sync, Redis answers before it has written
        # (everysec), and a kill at that moment would be the disk's fault, not ours.
        memory = Path("/dev/shm")
        redis_folder = Path(tempfile.mkdtemp(prefix="sf-faults-", dir=memory if memory.is_dir() else None))
        stack.callback(shutil.rmtree, redis_folder, ignore_errors=True)
        # Valkey, because Debian's redis-server does not start under libfaketime (its allocator asks for the time).
        self.redis = RedisPart(redis_folder, "valkey", self.options.breaks != "aof-off", self.options.profile)
        stack.callback(lambda: shutil.copy(redis_folder / "server.log", self.folder / "redis.log"))
        stack.callback(self.redis.stop, kill=True)
        self.redis_proxy = self._proxy(stack, self.redis.port)
        self.postgres: PostgresPart | None = None
        self.database_proxy: TcpProxy | None = None
        self.database_url = self.raw_database = ""
        if self.options.database == "postgresql":
            self.postgres = PostgresPart(**_DURABLE)
            stack.callback(self.postgres.stop)
            self.database_proxy = self._proxy(stack, self.postgres.port)
            self.raw_database = self.postgres.new_database()
            self.database_url = self.raw_database.replace(f":{self.postgres.port}/", f":{self.database_proxy.port}/")
        self.model = stack.enter_context(StandIn())
        self.model_behaves()
        self.web_ports = [free_port(), free_port()]
        self.web_proxies = [self._proxy(stack, port) for port in self.web_ports]
        self.environment = environment_of(
            self.home, self.points, self.redis_proxy.port, self.database_url, self.model, self.options.breaks
        )
        self._prepare()
        self.fleet = Fleet(self.folder, self.environment)
        stack.callback(self.fleet.close)
        self._name_processes()

    @staticmethod
    def _proxy(stack: contextlib.ExitStack, port: int) -> TcpProxy:
        proxy = TcpProxy(port)
        stack.callback(proxy.close)
        return proxy

    def _prepare(self) -> None:
        settings = settings_table.load(self.environment)
        store = open_store(settings)
        migrate.upgrade(store)
        store.close()
        file = self.folder / "zebra.md"
        file.write_text(DOCUMENT, encoding="utf-8")
        documents.add(settings, "docs", file, lambda *_: None)

    def _name_processes(self) -> None:
        for number, port in enumerate(self.web_ports):
            self.fleet.add(f"web-{number}", "gunicorn", "-c", "web/gunicorn_config.py", "web.wsgi:app", PORT=str(port))
        for number in range(2):
            self.fleet.add(f"worker-{number}", "spanfeed", "worker", "--name", f"worker-{number}")
            self.fleet.add(f"recorder-{number}", "spanfeed", "record")
        self.fleet.add("beat", "spanfeed", "beat")

    def start(self) -> None:
        """Starts the processes and waits until they work."""
        self.fleet.start()
        for port in self.web_ports:
            wait_for(lambda port=port: _ready(port), f"web on {port}; its logs are in {self.folder}", 60)  # type: ignore[misc]
        for name in self.fleet.named("worker"):
            self.fleet.wait_consuming(name)

    # What faults use

    def raw(self) -> Any:
        """A client of Redis itself, past the proxy (untyped: the library's answers have a dozen types each)."""
        return self.redis.client()

    def model_behaves(self) -> None:
        """The model streams its words again."""
        self.model.script(words=list(WORDS), pace_seconds=0.02)

    def arm(self, place: str) -> None:
        """The next process that comes by the failpoint is killed there."""
        (self.points / place).unlink(missing_ok=True)

    def _disarm(self) -> None:
        for place in PLACES:
            (self.points / place).touch()

    def later(self, action: Callable[[], Any]) -> None:
        """Does something beside the next faults; `heal` waits for it."""

        def guarded() -> None:
            try:
                action()
            except Exception as error:
                self.notes.append(f"a fault could not be ended: {type(error).__name__}: {error}")

        thread = threading.Thread(target=guarded, name="later", daemon=True)
        thread.start()
        self._later = [one for one in self._later if one.is_alive()] + [thread]

    def busy(self) -> int:
        """How many faults are still going on."""
        return sum(thread.is_alive() for thread in self._later)

    def heal(self) -> None:
        """Waits for the end of every fault, and puts everything right."""
        for thread in self._later:
            thread.join(60)
        self._disarm()
        for proxy in (self.redis_proxy, self.database_proxy, *self.web_proxies):
            if proxy is not None:
                proxy.heal()
        self.model_behaves()

    def close(self) -> None:
        """Ends everything."""
        self._stack.close()

    def note(self, started: float, what: str) -> None:
        """Keeps a line about a fault."""
        self.notes.append(json.dumps({"at_seconds": round(time.monotonic() - started, 2), "fault": what}))


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2, verify=NO_TLS).status_code == 200
    except httpx.HTTPError:
        return False

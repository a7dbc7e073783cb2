"""A private PostgreSQL, with a new database for each test."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

import psycopg

from tests.parts.missing import missing
from tests.parts.ports import free_port
from tests.parts.waiting import wait_for

_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


def _program(name: str) -> str:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    return shutil.which(name) or missing(f"PostgreSQL's {name}")


class PostgresPart:
    """One cluster. The server refuses to run as root: then it runs as the user postgres."""

    def __init__(self, **settings: str) -> None:
        initdb, postgres = _program("initdb"), _program("postgres")
        self._folder = Path(tempfile.mkdtemp(prefix="sf-pg-"))
        self.port = free_port()
        self._user: str | None = None
        if os.geteuid() == 0:
            self._user = "postgres"
            try:
                owner = pwd.getpwnam(self._user)
            except KeyError:
                missing("the user postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        self._data = self._folder / "data"
        self._run([initdb, "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"])
        self._command = [postgres, "-D", str(self._data), "-p", str(self.port)]
        self._command += ["-k", str(self._folder), "-h", "127.0.0.1"]
        self._command += [f"--{name}={value}" for name, value in (_SETTINGS | settings).items()]
        self._log = Path(tempfile.gettempdir()) / f"{self._folder.name}.log"
        self.start()

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, user=self._user, stdout=log, stderr=log, cwd="/")
        try:
            wait_for(self._answers, "PostgreSQL's answer", 60)
        except BaseException:
            self.stop()
            raise

    def stop_now(self) -> None:
        """Stops the server without a shutdown, as a crash would; its files stay, and `start` recovers them."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(10)

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, user=self._user, capture_output=True, text=True, cwd="/")
        if done.returncode:
            raise RuntimeError(done.stderr)

    def _address(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return self._address(name)

    def stop(self) -> None:
        """Stops the server and takes its files away."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._log.unlink(missing_ok=True)

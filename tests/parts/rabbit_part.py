"""A private RabbitMQ, with everything that belongs to it in one folder."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.parts.missing import missing
from tests.parts.ports import free_port
from tests.parts.waiting import wait_for

_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
# Few threads that never spin: the tests' machine has two cores and more to do.
_ERLANG = "+S 1:1 +SDcpu 1:1 +SDio 1 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none"
_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
_AMQP_HEADER = b"AMQP\x00\x00\x09\x01"


def _program() -> str:
    # The package's own /usr/sbin/rabbitmq-server changes to the user rabbitmq and to that user's folders.
    if not _SCRIPT.exists() or shutil.which("epmd") is None:
        missing("RabbitMQ (rabbitmq-server)")
    return str(_SCRIPT)


class RabbitPart:
    """One node, on loopback; it can be stopped, killed, frozen and started again with its queues.

    Its port mapper (epmd) is its own child on a port of its own: a shared one would outlive the tests.
    """

    def __init__(self, folder: Path, wait: bool = True) -> None:
        self._command = [_program()]
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._environment = self._prepare()
        self.start(wait)

    def _prepare(self) -> dict[str, str]:
        folder = self._folder
        folder.mkdir(parents=True)
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\nlog.file = false\n"
            "disk_free_limit.absolute = 1MB\nvm_memory_high_watermark.absolute = 512MB\n"
        )
        for name, text in (("plugins", "[].\n"), ("advanced.config", "[].\n"), ("environment", "")):
            (folder / name).write_text(text)
        cookie = folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"spanfeed{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "flags"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_ERLANG} {_LOOPBACK}",
            # Then the script becomes the server instead of waiting beside it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def start(self, wait: bool = True) -> None:
        """Starts the node, which takes some seconds; returns when it answers, unless told not to wait."""
        with (self._folder / "server.log").open("ab") as log:
            if self._epmd is None:
                mapper = ["epmd", "-port", self._environment["ERL_EPMD_PORT"], "-address", "127.0.0.1"]
                self._epmd = subprocess.Popen(mapper, env=self._environment, stdout=log, stderr=log)
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait()

    def wait(self) -> None:
        """Waits until the node speaks AMQP."""
        try:
            wait_for(self._answers, f"RabbitMQ's answer; its log is {self._folder / 'server.log'}", 100)
        except BaseException:
            self.close()
            raise

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "RabbitMQ has ended"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(_AMQP_HEADER)
                return bool(probe.recv(1))
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Sends the node a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, kill: bool = False) -> None:
        """Stops the node; its queues stay in the folder."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(20)
        self._process = None

    def close(self) -> None:
        """Stops everything for good."""
        self.stop(kill=True)
        if self._epmd is not None:
            self._epmd.terminate()
            self._epmd.wait(5)
            self._epmd = None

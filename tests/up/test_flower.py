"""Flower itself, as `spanfeed flower` starts it."""

from __future__ import annotations

import base64
import http.client
import io
import sys
from pathlib import Path

import psutil

from pipeline.settings import Settings
from web.up import ports, redis_server
from web.up.child import Spec
from web.up.launch import ROOT, child_environment
from web.up.supervisor import Supervisor
from web.up.terminal import Terminal

# Settings come by the environment, the stand-in for the tasks from the folder.
_START = """
import pathlib, sys
from pipeline.settings import load
from web.up.flower import exec_flower
exec_flower(load(), pathlib.Path(sys.argv[1]))
"""
_TASKS = """
import os
from celery import Celery
app = Celery("stand_in", broker=os.environ["REDIS_URL"])
"""


def _status(port: int, credentials: str = "") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"} if credentials else {}
    try:
        connection.request("GET", "/workers", headers=headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def test_flower_wants_the_password_that_was_made(tmp_path: Path) -> None:
    """Anyone on the machine could see, and revoke, every task."""
    (tmp_path / "tasks.py").write_text(_TASKS)
    port = ports.private()
    with redis_server.prepared(tmp_path) as server, Supervisor(tmp_path, Terminal(io.StringIO())) as supervisor:
        supervisor.start(server.spec)
        assert supervisor.wait_until(server.answers, 15)
        settings = Settings(home=str(tmp_path), redis_url=server.url, flower_port=port)
        argv = (sys.executable, "-c", _START, str(tmp_path))
        child = supervisor.start(Spec("flower", argv, child_environment(settings), ROOT))
        assert supervisor.wait_until(lambda: _status(port) != 0, 30), child.recent
        password = (tmp_path / "flower_password").read_text().strip()
        assert _status(port) == 401
        assert _status(port, "spanfeed:guess") == 401
        assert _status(port, f"spanfeed:{password}") == 200
        assert child.process_id is not None
        assert not any(password in word for word in psutil.Process(child.process_id).cmdline())

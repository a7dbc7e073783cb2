"""A private ChromaDB server, where its program was named: `make test-chroma` installs one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import httpx
import pytest

from tests.parts.ports import free_port
from tests.parts.waiting import wait_for

_PROGRAM = "TEST_CHROMA_PROGRAM"


class ChromaPart:
    """One server with an empty folder; its program is far too large to be a test's dependency."""

    def __init__(self) -> None:
        program = os.environ.get(_PROGRAM)
        if not program:
            pytest.skip(f"{_PROGRAM} names no ChromaDB: make test-chroma")
        self._folder = Path(tempfile.mkdtemp(prefix="sf-chroma-"))
        self.port = free_port()
        command = [program, "run", "--path", str(self._folder / "data"), "--host", "127.0.0.1"]
        environment = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)], stdout=log, stderr=log, env=environment
            )
        try:
            wait_for(self._answers, "ChromaDB's answer", 60)
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/api/v2/heartbeat", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """Stops the server and takes its files away."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

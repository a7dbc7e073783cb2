"""The first seed's scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pipeline.store import migrate
from tests.parts.stack import ROOT


def _run(script: str, *arguments: str, home: Path) -> str:
    environment = {**os.environ, "SPANFEED_HOME": str(home), "DATABASE_URL": ""}
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_seeds_scripts_are_doors_to_the_commands(tmp_path: Path) -> None:
    """Without this a GovStack operator's cron jobs would break."""
    assert str(migrate.newest_revision()) in _run("add_event_tracking.py", home=tmp_path)
    assert "Events:" in _run("event_cleanup.py", "stats", home=tmp_path)
    assert "0 chat events older than 48 h would be deleted" in _run(
        "event_cleanup.py", "cleanup", "--hours", "48", "--dry-run", home=tmp_path
    )

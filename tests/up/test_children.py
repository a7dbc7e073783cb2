"""Which processes a running Spanfeed has, by its settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import settings as settings_table
from web.up import children


@pytest.mark.parametrize(
    ("variable", "count", "names"),
    [
        ("SPANFEED_RECORDERS", "3", ["relay", "web", "worker", "recorder", "recorder-1", "recorder-2"]),
        ("SPANFEED_RELAYS", "2", ["relay", "relay-1", "web", "worker", "recorder"]),
    ],
)
def test_as_many_run_as_are_set(tmp_path: Path, variable: str, count: str, names: list[str]) -> None:
    """Without this a setting would change nothing, and one process would have to do what several could."""
    settings = settings_table.load({"SPANFEED_HOME": str(tmp_path), "REDIS_URL": "redis://localhost", variable: count})
    assert [spec.name for spec in children.first(settings)] == names

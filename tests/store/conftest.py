"""A SQLite store, for what does not depend on the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import settings as settings_table
from pipeline.store import Store, migrate, open_store


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """A migrated SQLite database."""
    opened = open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path)}))
    migrate.upgrade(opened)
    yield opened
    opened.close()

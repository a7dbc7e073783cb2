"""The parts that tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from pipeline.settings import Settings
from pipeline.store import Store, migrate, open_store
from tests.parts.postgres_part import PostgresPart
from tests.parts.redis_part import SERVERS, RedisPart
from tests.parts.stack import Stack

DATABASES = ("sqlite", "postgresql")
# The tests start hundreds of processes: where bytecode is not kept each of them would compile the program anew, and
# each process of the test run all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
hypothesis_settings.register_profile("fuzz")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresPart]:
    """The run's private PostgreSQL."""
    part = PostgresPart()
    yield part
    part.stop()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[RedisPart]:
    """A private Valkey for one test."""
    part = RedisPart(tmp_path / "redis")
    yield part
    part.stop(kill=True)


@pytest.fixture(params=SERVERS)
def redis_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisPart]:
    """A private server of each supported kind."""
    part = RedisPart(tmp_path / "redis", request.param)
    yield part
    part.stop(kill=True)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each supported kind; '' is a SQLite file in the home folder."""
    if request.param == "sqlite":
        return ""
    part: PostgresPart = request.getfixturevalue("postgres")
    return part.new_database()


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """A migrated database of each supported kind."""
    opened = open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path), "DATABASE_URL": database_url}))
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def bus_settings(redis_server: RedisPart, tmp_path: Path) -> Settings:
    """Settings for a bus on each supported server."""
    return settings_table.load(
        {"REDIS_URL": redis_server.url, "SPANFEED_EMIT_DEADLINE_MS": "5000", "SPANFEED_HOME": str(tmp_path)}
    )


@pytest.fixture
def bus(bus_settings: Settings) -> Iterator[Bus]:
    """A bus on each supported server."""
    opened = open_bus(bus_settings)
    yield opened
    opened.close_connections()


@pytest.fixture
def make_stack(tmp_path: Path, valkey: RedisPart) -> Iterator[Callable[..., Stack]]:
    """Makes whole Spanfeeds, and ends them."""
    made: list[Stack] = []

    def make(database_url: str = "", **environment: str) -> Stack:
        stack = Stack(tmp_path / f"home{len(made)}", valkey, database_url, **environment)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.close()

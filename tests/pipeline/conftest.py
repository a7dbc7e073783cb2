"""A bus on one server, for what does not depend on the kind of server, and the test's own look into Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from tests.parts.redis_part import RedisPart


@pytest.fixture
def raw(redis_server: RedisPart) -> Iterator[redis.Redis]:
    """The server of `bus`, as a test looks into it."""
    client = redis_server.client()
    yield client
    client.close()


@pytest.fixture
def valkey_bus(valkey: RedisPart, tmp_path: Path) -> Iterator[Bus]:
    """A bus on Valkey only."""
    environment = {"REDIS_URL": valkey.url, "SPANFEED_EMIT_DEADLINE_MS": "5000", "SPANFEED_HOME": str(tmp_path)}
    opened = open_bus(settings_table.load(environment))
    yield opened
    opened.close_connections()


@pytest.fixture
def valkey_raw(valkey: RedisPart) -> Iterator[redis.Redis]:
    """The server of `valkey_bus`, as a test looks into it."""
    client = valkey.client()
    yield client
    client.close()

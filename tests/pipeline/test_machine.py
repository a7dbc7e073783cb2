"""The bus is driven through any order of deeds, and its runs stay as they should be.

In the suite the examples are always the same ones. To look for others, give it a seed and more time:
`.venv/bin/python -m pytest tests/pipeline/test_machine.py --hypothesis-seed=7 --timeout=3600`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from pipeline import settings as settings_table
from pipeline.bus import open_bus
from tests.parts.redis_part import RedisPart
from tests.pipeline.machine import Machine

SUITE = settings(max_examples=100, stateful_step_count=30, derandomize=True, deadline=None)
LONG = settings(max_examples=5_000, stateful_step_count=80, deadline=None)


@pytest.fixture(scope="module")
def machine_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisPart]:
    """One server for all examples."""
    part = RedisPart(tmp_path_factory.mktemp("machine"), appendonly=False)
    yield part
    part.stop(kill=True)


def test_any_order_of_deeds_leaves_the_runs_right(
    machine_server: RedisPart, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Without this an order of faults that nobody thought of would lose an event or end a stage twice."""
    environment = {
        "REDIS_URL": machine_server.url,
        "SPANFEED_EMIT_DEADLINE_MS": "5000",
        "SPANFEED_HOME": str(tmp_path),
    }
    bus, raw = open_bus(settings_table.load(environment)), machine_server.client()
    chosen = SUITE if request.config.getoption("--hypothesis-seed") is None else LONG
    run_state_machine_as_test(
        lambda: Machine(bus, raw),
        settings=settings(chosen, suppress_health_check=list(HealthCheck), database=None, print_blob=False),
    )
    bus.close_connections()
    raw.close()

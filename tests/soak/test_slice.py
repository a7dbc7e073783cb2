"""Two thousand joins over all transports while Redis is killed once: a small soak, for every day."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.options import Options
from tests.soak.run import run

SLICE = Options(
    joins=2_000,
    seed=5,
    clients=150,
    sessions=20,
    redis_restarts=1,
    relay_restarts=0,
    web_restarts=0,
    events_per_second=50.0,
    stay_seconds=0.1,
)


@pytest.mark.timeout(300)
def test_two_thousand_joins_miss_nothing(tmp_path: Path) -> None:
    """Without this a page that comes back would miss events, or show them twice, after Redis was restarted."""
    lines: list[str] = []
    verdict = run(SLICE, tmp_path, lines.append)
    print("\n".join([*lines, *verdict.lines()]))
    assert not verdict.violations, "\n".join(map(str, verdict.violations))
    assert verdict.joins >= SLICE.joins
    assert set(verdict.by_transport) == {"ws", "sse", "poll"}
    assert verdict.blows == ["redis SIGKILL"]
    assert verdict.told > 1_000

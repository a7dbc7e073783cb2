"""Thirty faults of all twenty kinds, always the same: the promise of the whole project, kept under fire."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.drive import drive
from tests.faults.kinds import KINDS
from tests.faults.options import Options
from tests.parts.missing import missing

SLICE = Options(
    seed=20,
    faults=30,
    pause_seconds=(0.1, 0.4),
    freeze_seconds=(2.5, 3.5),
    messages_per_second=1.5,
    events_per_second=10.0,
    storm_clients=24,
)


@pytest.mark.timeout(300)
def test_thirty_faults_cost_nothing(tmp_path: Path) -> None:
    """Without this a user could wait for ever, or lose or see twice what happened, when something dies."""
    lines: list[str] = []
    verdict = drive(SLICE, tmp_path / "run", lines.append)
    print("\n".join([*lines, *verdict.lines()]))
    assert not verdict.violations, "\n".join(map(str, verdict.violations))
    assert len(verdict.faults) + len(verdict.skipped) == len(KINDS)
    assert verdict.messages["completed"] > 0
    if verdict.skipped:
        missing("; ".join(verdict.skipped.values()))

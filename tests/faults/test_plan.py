"""The order of faults: the same for the same seed, all kinds, and Redis emptied at most once."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.kinds import BY_NAME, KINDS
from tests.faults.plan import make_plan

NAMES = list(BY_NAME)


def test_the_table_is_whole() -> None:
    """Without this a kind of fault could be left out, and nobody would notice."""
    assert [kind.number for kind in KINDS] == list(range(1, 21))


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_has_every_kind(seed: int) -> None:
    """Without this a run could leave out the fault that hurts."""
    plan = make_plan(seed, 100, NAMES)
    assert plan == make_plan(seed, 100, NAMES)
    counts = Counter(plan)
    assert counts["empty-redis"] == 1
    assert plan.index("empty-redis") < plan.index("clock-jump")
    assert {counts[name] for name in NAMES if name != "empty-redis"} == {5, 6}
    assert set(make_plan(seed, 20, NAMES)) == set(NAMES)


def test_seeds_differ() -> None:
    """Without this three seeds would prove no more than one."""
    assert make_plan(1, 40, NAMES) != make_plan(2, 40, NAMES)


def test_one_kind_alone() -> None:
    """Without this a violation could not be narrowed down."""
    assert make_plan(1, 3, ["empty-redis"]) == ["empty-redis"] * 3

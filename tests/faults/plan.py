"""The order of faults: chosen by the seed, every kind before any comes again."""

from __future__ import annotations

import random
from collections.abc import Sequence

_RARE = "empty-redis"
_AHEAD = "clock-jump"


def make_plan(seed: int, count: int, names: Sequence[str]) -> list[str]:
    """`count` names, bag after shuffled bag. Redis is emptied at most once: it ends all that is under way.

    It is emptied before its clock jumps: ids that are an hour ahead are known to nobody but the Redis that is
    emptied, so that those which follow would be smaller.
    """
    rng = random.Random(seed)
    plan: list[str] = []
    rest = list(names)
    while len(plan) < count and rest:
        bag = list(rest)
        rng.shuffle(bag)
        plan += bag
        rest = [name for name in rest if name != _RARE or len(names) == 1]
    plan = plan[:count]
    if _RARE in plan and _AHEAD in plan and plan.index(_AHEAD) < plan.index(_RARE):
        first, second = plan.index(_AHEAD), plan.index(_RARE)
        plan[first], plan[second] = plan[second], plan[first]
    return plan

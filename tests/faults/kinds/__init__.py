"""The twenty kinds of faults; each is a function that begins one and returns what it has done."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

from tests.faults.kinds import clocks, kills, messages, network, outside, stores
from tests.faults.run import Run


@dataclasses.dataclass(frozen=True)
class Kind:
    """`number` is its place in the table; `missing` says why it cannot be had here, '' when it can."""

    number: int
    name: str
    begin: Callable[[Run, random.Random], str]
    missing: Callable[[Run], str] = lambda _: ""


KINDS = (
    Kind(1, "kill-child", kills.kill_child),
    Kind(2, "kill-worker", kills.kill_worker),
    Kind(3, "kill-recorder", kills.kill_recorder),
    Kind(4, "kill-web", kills.kill_web),
    Kind(5, "freeze", kills.freeze),
    Kind(6, "kill-redis", stores.kill_redis),
    Kind(7, "empty-redis", stores.empty_redis),
    Kind(8, "stop-database", stores.stop_database),
    Kind(9, "network", network.disturb),
    Kind(10, "slow-reader", network.slow_reader),
    Kind(11, "reconnect-storm", network.storm),
    Kind(12, "clock-jump", clocks.jump, clocks.missing),
    Kind(13, "duplicate-task", messages.duplicate_task),
    Kind(14, "duplicate-entry", messages.duplicate_entry),
    Kind(15, "disk-full", stores.fill_disk),
    Kind(16, "memory-full", stores.fill_memory),
    Kind(17, "poison", messages.poison),
    Kind(18, "model", outside.disturb_model),
    Kind(19, "deploy", kills.deploy),
    Kind(20, "destroy-group", messages.destroy_group),
)
"""In the order of the table."""

BY_NAME = {kind.name: kind for kind in KINDS}

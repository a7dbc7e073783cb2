"""What is examined: the settings, and connections of the doctor's own with short timeouts."""

from __future__ import annotations

import dataclasses

from pipeline.bus.inspect import Inspection
from pipeline.settings import Settings
from pipeline.store import Store


@dataclasses.dataclass(frozen=True)
class Patient:
    """`redis` is None where nothing runs: REDIS_URL is empty and there is no `spanfeed up`."""

    settings: Settings
    redis: Inspection | None
    store: Store

    @property
    def asked_redis(self) -> Inspection:
        """The Redis, for checks that are only done where there is one."""
        assert self.redis is not None
        return self.redis

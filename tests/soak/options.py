"""What a run is asked for."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    """Counts are of the whole run; a `skip` or `repeat` is a client that lies, to see whether the judge notices."""

    joins: int = 100_000
    seed: int = 1
    clients: int = 300
    sessions: int = 40
    redis_restarts: int = 20
    relay_restarts: int = 10
    web_restarts: int = 5
    events_per_second: float = 100.0
    stay_seconds: float = 0.25
    """How long a client stays on average; some stay ten times as long."""
    finish_seconds: float = 120.0
    """How long everything may take that comes after the last join."""
    skip_at: int = 0
    """The first client does not note its event of this number; 0: it is honest."""
    repeat_at: int = 0
    """The second client notes its event of this number twice; 0: it is honest."""

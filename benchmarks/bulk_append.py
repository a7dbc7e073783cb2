"""Many events in one turn to Redis: the very calls that `Bus.append` makes, gathered and sent in one pipeline."""

from __future__ import annotations

import dataclasses
from typing import Any

from pipeline.bus import Bus
from pipeline.settings import Settings


class BulkAppend(Bus):
    """A bus whose `append` only gathers until `send`. The script must be known to Redis: append one event before."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._client = self._quick
        self._gathered = _Gathered([])
        self._quick = self._gathered  # type: ignore[assignment]

    def send(self) -> None:
        """Sends all at once and waits for all answers. Raises redis-py's errors."""
        pipe: Any = self._client.pipeline(transaction=False)
        for call in self._gathered.calls:
            pipe.execute_command("EVALSHA", *call)
        self._gathered.calls.clear()
        pipe.execute()


@dataclasses.dataclass
class _Gathered:
    """Takes the bus's calls in place of a connection."""

    calls: list[tuple[Any, ...]]

    def evalsha(self, *call: Any) -> tuple[int, int]:
        """Keeps a call; the answer is no id yet."""
        self.calls.append(call)
        return 1, 0

"""What became of an emit: true or false, with the event's id or the reason; it may be awaited or not."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator


@dataclasses.dataclass(frozen=True)
class Emitted:
    """`ok`: it is written, or kept in a file until Redis is back (`kept`). `error` is a sentence when it is not ok.

    `event_id` is the event's own id, `log_id` its number in the log, None where there is none yet. As text it is the
    event's id. Awaiting it gives itself at once: the work was done when the emit returned.
    """

    event_id: str
    ok: bool
    error: str | None = None
    log_id: int | None = None
    kept: bool = False
    unavailable: bool = False
    """Whether it failed for a reason that passes: the event itself is right."""

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return self.event_id

    def __await__(self) -> Generator[None, None, Emitted]:
        yield from ()
        return self


@dataclasses.dataclass(frozen=True)
class Done:
    """What an act of the system gives that the second seed awaits: nothing, and at once."""

    ok: bool = True

    def __bool__(self) -> bool:
        return self.ok

    def __await__(self) -> Generator[None, None, None]:
        yield from ()

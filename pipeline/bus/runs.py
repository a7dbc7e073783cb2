"""What the scripts of a run take and give, as Python values."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

from pipeline.errors import FenceLost, RunLost, StageRefused
from pipeline.event import EPOCH_OFFSET_SECONDS, Identity, State, Status, encode
from pipeline.redaction import Redactor


@dataclasses.dataclass(frozen=True)
class SpanStart:
    """A span that a stage opens: its name in the run, what all its events share, its first event, its failed text."""

    name: str
    identity: Identity
    state: State
    failed_text: str

    def arguments(self, redactor: Redactor) -> list[bytes | str]:
        """As `begin.lua` takes it."""
        return [
            self.name,
            route_of(self.identity),
            self.identity.fragment(redactor),
            encode(redactor.text(self.failed_text)),
            self.state.fragment(redactor),
        ]


@dataclasses.dataclass(frozen=True)
class Closing:
    """A span that a stage closes; `took_us` by the stage's own clock, or None for Redis's."""

    name: str
    status: Status
    state: State
    took_us: int | None = None

    def arguments(self, redactor: Redactor) -> list[bytes | str]:
        """As `end.lua` takes it."""
        took = "" if self.took_us is None else str(self.took_us)
        return [self.name, str(self.status), self.state.fragment(redactor), took]


@dataclasses.dataclass(frozen=True)
class Begun:
    """A stage that was taken: which try it is, how long it waited, when it and its spans started, what it asked for."""

    tries: int
    waited_ms: int
    now_us: int
    starts: tuple[int, ...]
    fields: tuple[bytes | None, ...]


@dataclasses.dataclass(frozen=True)
class Closed:
    """A span that was closed: ids of its first and last event and how long it took."""

    name: str
    start_id: int
    end_id: int
    took_us: int
    identity: bytes | None = None

    @property
    def start_ns(self) -> int:
        """Its start as Unix time in nanoseconds."""
        return unix_ns(self.start_id)

    @property
    def end_ns(self) -> int:
        """Its end as Unix time in nanoseconds: start and duration, so that trace and event agree."""
        return self.start_ns + self.took_us * 1000


@dataclasses.dataclass(frozen=True)
class RunState:
    """A run at one moment; every field is empty for a run that Redis does not know."""

    status: str
    stage: str
    state: str
    tries: int
    answer: str


class QueueIs(enum.StrEnum):
    """What is known of the broker's queue that a run's message should lie in: for `resume.lua`."""

    HERE = "here"
    """It lies in this Redis: the script looks itself."""
    EMPTY = "empty"
    FILLED = "filled"
    UNKNOWN = "unknown"


def unix_ns(event_id: int) -> int:
    """The moment that an id stands for, as Unix time in nanoseconds."""
    return (event_id + EPOCH_OFFSET_SECONDS * 1_000_000) * 1000


def route_of(identity: Identity) -> str:
    """What stands between id and status at the head of an announced event."""
    return f"{identity.event_type} {identity.category} {identity.priority}"


def begun(reply: Sequence[Any]) -> Begun:
    """`begin.lua`'s reply. Raises StageRefused."""
    word = reply[0].decode()
    if word != "ok":
        raise StageRefused(f"the stage may not begin: {word}")
    return Begun(
        tries=int(reply[1]),
        waited_ms=int(reply[2]),
        now_us=int(reply[3]),
        starts=tuple(int(start) for start in reply[4]),
        fields=tuple(reply[5]),
    )


def closed(reply: Sequence[Any], width: int) -> list[Closed]:
    """The spans in the reply of `end.lua` (width 4) or `fail.lua` (width 5). Raises FenceLost."""
    word = reply[0].decode()
    if word == "again":
        return []
    if word == "unknown":
        raise RunLost
    if word != "ok":
        raise FenceLost(f"the stage is not held any more: {word}")
    return [
        Closed(
            name=reply[i].decode(),
            start_id=int(reply[i + 1]),
            end_id=int(reply[i + 2]),
            took_us=int(reply[i + 3]),
            identity=reply[i + 4] if width == 5 else None,
        )
        for i in range(1, len(reply), width)
    ]

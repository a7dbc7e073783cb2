"""What a run is asked for, and the names that everybody in it uses."""

from __future__ import annotations

import dataclasses

KEY = "sf_faults-key-with-all-scopes"
LOG = "sf:{0}:log"
GROUP = "recorder"
STAGES = ("receive", "history", "think", "search", "generate", "save")
MOMENTS = ("begun", "worked", "ended")
PLACES = (*(f"{stage}.{moment}" for stage in STAGES for moment in MOMENTS), "recorder.committed")
"""The failpoints at which a process can be killed."""
LEASE_SECONDS = 2.0
QUESTION = "How many turnips does the zebra Quillon eat?"
DOCUMENT = "# Zebras\n\nThe blue zebra Quillon eats exactly seven turnips a day.\n"
WORDS = tuple(f"word{number} " for number in range(24))
"""What the model says, always."""
BREAKS = {
    "aof-off": "",
    "no-emitter-key": "append.forget_key=on",
    "ack-before-commit": "recorder.acknowledge_first=on",
    "trim-by-length": "log.trim_by_length=on",
}
"""Protections that a run may be without, and the failpoint that takes each away."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run is asked for. `only`: kinds of faults, none: all. `breaks`: a protection that it is without."""

    seed: int = 1
    faults: int = 30
    profile: str = "everysec"
    database: str = "sqlite"
    only: tuple[str, ...] = ()
    breaks: str = ""
    pause_seconds: tuple[float, float] = (0.3, 1.5)
    freeze_seconds: tuple[float, float] = (2.5, 12.0)
    deadline_seconds: float = 90.0
    messages_per_second: float = 2.0
    events_per_second: float = 15.0
    storm_clients: int = 60
    empties_while_saving: bool = False
    """Redis may also be emptied between an answer being saved and the event that says so, which is lost then."""

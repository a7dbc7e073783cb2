"""What Redis knows of a run that somebody else left: where it stands, and for whom it is."""

from __future__ import annotations

import dataclasses
import json

from pipeline.bus import Bus
from pipeline.context import CARRIED, Audience, audience_of, from_headers


@dataclasses.dataclass(frozen=True)
class LeftRun:
    """A run's session, its current stage, and the headers of its messages."""

    session_id: str
    stage: str
    headers: dict[str, str]
    audience: Audience


def left_run(bus: Bus, message_id: str) -> LeftRun | None:
    """The run, None when Redis does not know it. Raises BusUnavailable."""
    session_id, stage, packed = (
        (value or b"").decode() for value in bus.run_fields(message_id, ["sid", "cur", "headers"])
    )
    if not session_id or not stage:
        return None
    headers = {name: value for name, value in json.loads(packed or "{}").items() if name in CARRIED}
    audience = audience_of(from_headers(headers)) or Audience(session_id, message_id, None, "en")
    return LeftRun(session_id, stage, headers, audience)

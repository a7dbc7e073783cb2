"""What a client asked for when it opened its feed."""

from __future__ import annotations

import dataclasses

from pipeline.store.events import Filters

EVERYTHING = Filters()


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """A session, a cursor (None: only what is new), the epoch that the client knows, filters, a transport's name."""

    session_id: str
    after: int | None
    epoch: str | None
    filters: Filters
    transport: str = "ws"

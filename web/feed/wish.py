"""What a client asked for when it opened its feed."""

from __future__ import annotations

import dataclasses
import re

from pipeline.store.events import Filters

EVERYTHING = Filters()
FILTERS_LIMIT = 50
TYPE_PATTERN = re.compile(r"[A-Za-z0-9._*-]{1,100}")
"""A type's name in a filter; `*` stands for anything."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """A session, a cursor (None: only what is new), the epoch that the client knows, filters, a transport's name."""

    session_id: str
    after: int | None
    epoch: str | None
    filters: Filters
    transport: str = "ws"

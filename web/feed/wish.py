"""What a client asked for when it opened its feed."""

from __future__ import annotations

import dataclasses
import enum
import re

from pipeline.bus.keys import EVERYONE, OPERATORS, session_channel, user_channel
from pipeline.store.events import Filters

EVERYTHING = Filters()
FILTERS_LIMIT = 50
TYPE_PATTERN = re.compile(r"[A-Za-z0-9._*-]{1,100}")
"""A type's name in a filter; `*` stands for anything."""


class Scope(enum.StrEnum):
    """What a feed tells of: one session, one user with what is for everyone, or everything that operators see."""

    SESSION = "session"
    USER = "user"
    OPERATORS = "operators"


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """A session, a cursor (None: only what is new), the epoch that the client knows, filters, a transport's name.

    A feed of another scope has no session. `user_id` is then whose feed it is, or which operator reads it.
    """

    session_id: str
    after: int | None
    epoch: str | None
    filters: Filters
    transport: str = "ws"
    scope: Scope = Scope.SESSION
    user_id: str = ""

    @property
    def channels(self) -> tuple[str, ...]:
        """Where everything that it asks for is announced."""
        match self.scope:
            case Scope.USER:
                return user_channel(self.user_id), EVERYONE
            case Scope.OPERATORS:
                return (OPERATORS,)
        return (session_channel(self.session_id),)

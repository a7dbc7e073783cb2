"""What there is to say about an open feed when another process goes on with it. No I/O.

Times are those of the system's monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import dataclasses

from web.access import Rights
from web.feed.wish import Wish


@dataclasses.dataclass(frozen=True, slots=True)
class SessionState:
    """One session of a client; see `web.feed.followed`. `catches_up`: pages of its past are still to come."""

    wish: Wish
    further: bool
    owner: str
    expires_at: float | None
    key_id: str | None
    last_id: int
    epoch: str
    greeted: bool
    catches_up: bool


@dataclasses.dataclass(frozen=True, slots=True)
class InboundState:
    """What a client has said of a message that is not whole, as it came, and its pace; see `web.feed.inbound`."""

    unfinished: bytes
    words_left: float
    counted_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class ReaderState:
    """A client; see `web.feed.reader`. `out` may begin in the middle of a frame."""

    transport: str
    rights: Rights
    sessions: tuple[SessionState, ...]
    inbound: InboundState | None
    out: bytes
    begun: bool
    bus_away: bool
    awaits_pong: bool
    progress_at: float
    heard_at: float
    quiet_since: float
    expires_at: float | None

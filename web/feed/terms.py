"""What holds for all feeds of a process alike: times, limits, the signature of tokens."""

from __future__ import annotations

import dataclasses
import math
import random

from pipeline.settings import Settings
from web.feed.tally import Tally, tally
from web.tokens import SessionTokens


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """As the settings have them; times in seconds unless their names say otherwise."""

    keepalive_seconds: float
    send_timeout_seconds: float
    ping_seconds: float
    frame_limit_bytes: int
    frames_per_second: float
    frames_burst: int
    sessions_limit: int
    return_limit_ms: int
    tokens: SessionTokens
    tally: Tally

    @classmethod
    def of(cls, settings: Settings) -> Terms:
        """As the settings have them."""
        return cls(
            settings.feed_keepalive_seconds,
            settings.feed_send_timeout_seconds,
            settings.feed_ping_seconds or math.inf,
            settings.feed_frame_limit_bytes,
            settings.feed_frames_per_second,
            settings.feed_frames_burst,
            settings.feed_sessions_limit,
            settings.feed_return_limit_ms,
            SessionTokens(settings),
            tally,
        )

    def pause_ms(self) -> int:
        """How long one client that must come back should wait: chosen at random, so that not all come at once."""
        return random.randint(0, self.return_limit_ms)  # noqa: S311 - jitter  # nosec

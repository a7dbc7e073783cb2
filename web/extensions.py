"""Flask's extensions: the rate limiter and the WebSocket handshake."""

from __future__ import annotations

import math
import time

from flask import Flask, g, request
from flask_limiter import Limiter
from flask_sock import Sock
from limits import parse
from limits.errors import StorageError
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter


def _who() -> str:
    found = g.get("principal")
    # Visitors are many and free to make: their address is what is limited.
    if found is None or (found.owns_only and found.key_id is None):
        return f"address:{request.remote_addr}"
    return f"{found.id}:{found.session_id or ''}"


def _address() -> str:
    return f"address:{request.remote_addr}"


def _is_application() -> bool:
    found = g.get("principal")
    return found is not None and not found.owns_only and found.session_id is None


limiter = Limiter(key_func=_who)
sock = Sock()


def messages_limit() -> str:
    """The limit of chat messages, as the limiter reads it."""
    from web.state import web_state

    return f"{web_state().settings.messages_per_minute} per minute"


def requests_limit() -> str:
    """The limit of other requests."""
    from web.state import web_state

    return f"{web_state().settings.requests_per_minute} per minute"


limited_messages = limiter.shared_limit(messages_limit, scope="messages")
"""All routes that send a message count together."""


def openings_limit() -> str:
    """The limit of feeds that are opened, or are tried to be."""
    from web.state import web_state

    return f"{web_state().settings.feed_openings_per_minute} per minute"


limited_openings = limiter.shared_limit(
    openings_limit, scope="openings", key_func=_address, exempt_when=_is_application
)
"""All ways to open a feed count together, by address; an application opens them for many users."""

_EVENTS = "events"
_LONGEST_WAIT_SECONDS = 60


def count_events(count: int) -> bool:
    """Counts custom events that are to be sent, all of one body at once; False: they are more than are left.

    While Redis is away they are counted in this process's memory, as messages are.
    """
    from web.state import web_state

    per_minute = web_state().settings.custom_events_per_minute
    limit = parse(f"{per_minute} per minute")
    try:
        return limiter.limiter.hit(limit, _EVENTS, _who(), cost=count)
    except StorageError:
        return _while_redis_is_away.hit(limit, _EVENTS, _who(), cost=count)


_while_redis_is_away = SlidingWindowCounterRateLimiter(MemoryStorage())


def wait_seconds() -> int:
    """In how many seconds somebody who was refused by a limit may come again, 1 to 60."""
    found = limiter.current_limit
    try:
        wait = _LONGEST_WAIT_SECONDS if found is None else found.reset_at - time.time()
    except StorageError:
        wait = _LONGEST_WAIT_SECONDS
    return min(max(1, math.ceil(wait)), _LONGEST_WAIT_SECONDS)


FEED_ENDPOINT = "feed.session_feed"
"""The WebSocket's route, whose handshake is over before a decorator of its view would be asked."""


def count_opening() -> None:
    """Counts a WebSocket that is opened, or is tried to be. Raises RateLimitExceeded (429)."""
    # Asked here already, since the limiter takes long to find out that nothing is to be counted.
    if not _is_application():
        g.counts_opening = True
        with limited_openings:
            pass


@limiter.request_filter
def _counts_for_itself() -> bool:
    """Whether the limiter need not look: the route of WebSockets has no other limit than the one it asks for."""
    return request.endpoint == FEED_ENDPOINT and not g.get("counts_opening", False)


def register(app: Flask) -> None:
    """Gives the extensions to the app."""
    limiter.init_app(app)

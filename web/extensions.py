"""Flask's extensions: the rate limiter and the WebSocket handshake."""

from __future__ import annotations

from flask import Flask, g, request
from flask_limiter import Limiter
from flask_sock import Sock


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

FEED_ENDPOINT = "feed.session_feed"
"""The WebSocket's route, whose handshake is over before a decorator of its view would be asked."""


def count_opening() -> None:
    """Counts a WebSocket that is opened, or is tried to be. Raises RateLimitExceeded (429)."""
    # Asked here already, since the limiter needs 0.2 ms to find out that nothing is to be counted (measured).
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

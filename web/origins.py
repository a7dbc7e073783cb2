"""The headers that let pages of an allowed origin read an answer. No Flask."""

from __future__ import annotations

_SHOWN = "Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID"


def of_origin(origin: str) -> dict[str, str]:
    """The headers for an origin that is allowed; none for the empty one."""
    if not origin:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": _SHOWN,
    }

"""The headers of every answer, errors included."""

from __future__ import annotations

from flask import Flask, Response, g, request

from web.errors import request_id

_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_ONE_YEAR = "max-age=31536000"
_TELLING_WHEN = {429, 503}
"""Only these say when to come back; the limiter would say it on every answer."""


def register(app: Flask) -> None:
    """Adds the headers."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        # The client's script is meant to be loaded by other origins' pages; what is said in private is not.
        shared = "cross-origin" if request.endpoint == "static" else "same-origin"
        response.headers.setdefault("Cross-Origin-Resource-Policy", shared)
        response.headers.setdefault("X-Request-ID", request_id())
        if request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", _ONE_YEAR)
        if response.status_code not in _TELLING_WHEN:
            response.headers.pop("Retry-After", None)
        elif g.get("retry_after"):
            response.headers["Retry-After"] = g.retry_after
        if response.mimetype in {"application/json", "application/problem+json"}:
            response.headers.setdefault("Cache-Control", "no-store")
        return response

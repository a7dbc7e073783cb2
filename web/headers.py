"""The headers of every answer, errors included."""

from __future__ import annotations

from flask import Flask, Response, g

from web.errors import request_id

_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


_TELLING_WHEN = {429, 503}
"""Only these say when to come back; the limiter would say it on every answer."""


def register(app: Flask) -> None:
    """Adds the headers."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _CONTENT_SECURITY_POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("X-Request-ID", request_id())
        if response.status_code not in _TELLING_WHEN:
            response.headers.pop("Retry-After", None)
        elif g.get("retry_after"):
            response.headers["Retry-After"] = g.retry_after
        if response.mimetype in {"application/json", "application/problem+json"}:
            response.headers.setdefault("Cache-Control", "no-store")
        return response

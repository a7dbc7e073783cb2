"""What pages of other origins may do: those of SPANFEED_ALLOWED_ORIGINS, and nobody else."""

from __future__ import annotations

import re

from flask import Flask, Response, request

from pipeline.errors import SettingError
from pipeline.settings import Settings
from web.origins import of_origin

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_METHODS = "GET, POST, PATCH, DELETE"
_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer, X-API-Key"
_REMEMBERED_SECONDS = "600"


def check(settings: Settings) -> None:
    """Raises SettingError for what is not an origin: `*` would let every page in, a bare name none."""
    for origin in settings.origins:
        if not _ORIGIN.fullmatch(origin):
            raise SettingError(f"SPANFEED_ALLOWED_ORIGINS must name origins such as https://example.org, not {origin}")


def allowed_origin(settings: Settings) -> str:
    """The origin of the page that asks, if it is one of those that are allowed; else nothing."""
    origin = request.headers.get("Origin", "")
    return origin if origin.lower() in settings.origins else ""


def register(app: Flask, settings: Settings) -> None:
    """Answers preflights, and adds the headers. Raises SettingError."""
    check(settings)

    @app.before_request
    def preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asks or request.endpoint is None or not allowed_origin(settings):
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = _METHODS
        response.headers["Access-Control-Allow-Headers"] = _HEADERS
        response.headers["Access-Control-Max-Age"] = _REMEMBERED_SECONDS
        return response

    @app.after_request
    def add_headers(response: Response) -> Response:
        if settings.origins:
            response.vary.add("Origin")
        response.headers.update(of_origin(allowed_origin(settings)))
        return response

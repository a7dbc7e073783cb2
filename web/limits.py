"""Telling clients what is left to them: the RateLimit headers of the IETF's draft."""

from __future__ import annotations

import time

from flask import Flask, Response

from web.extensions import limiter


def register(app: Flask) -> None:
    """Adds the headers; before the limiter is given to the app, so that it has counted when they are made."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        found = limiter.current_limit
        reset_at = response.headers.get("X-RateLimit-Reset", type=int)
        left = response.headers.get("X-RateLimit-Remaining", type=int)
        if found is None or reset_at is None or left is None:
            return response
        name = "messages" if "/messages/" in found.key else "requests"
        window_seconds = found.limit.get_expiry()
        wait_seconds = min(max(reset_at - int(time.time()), 0), window_seconds)
        response.headers["RateLimit-Policy"] = f'"{name}";q={found.limit.amount};w={window_seconds}'
        response.headers["RateLimit"] = f'"{name}";r={left};t={wait_seconds}'
        return response

"""Counting the requests of a web process: by route, method and status, and how long they took."""

from __future__ import annotations

import collections
import threading
import time
from typing import Any

from flask import Flask, Response, g, request

from web.feed.latency import Latency
from web.feed.tally import tally

NO_ROUTE = "(none)"
_OPENINGS = {"feed.session_feed", "stream.session_stream"}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Requests:
    """Of one app. Routes are the app's own patterns, so their number is bounded whatever is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Keeps the counts right between the threads."""
        self._counts: collections.Counter[tuple[str, str, int]] = collections.Counter()
        self._latencies: dict[str, Latency] = {}

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """One more, which took so long."""
        with self._lock:
            self._counts[route, method if method in _METHODS else "other", status] += 1
            latency = self._latencies.setdefault(route, Latency())
        latency.observe(seconds)

    @property
    def figures(self) -> dict[str, Any]:
        """Counts and times so far."""
        with self._lock:
            counts, latencies = dict(self._counts), dict(self._latencies)
        return {
            "requests": [[*key, count] for key, count in counts.items()],
            "request_seconds": {route: latency.figures for route, latency in latencies.items()},
        }


def register(app: Flask, requests: Requests) -> None:
    """Has every request of the app counted."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else NO_ROUTE
        began = g.get("began")
        requests.count(route, request.method, response.status_code, time.monotonic() - began if began else 0.0)
        if request.endpoint in _OPENINGS and response.status_code >= 400:
            tally.count(f"not_opened:{response.status_code}")
        return response

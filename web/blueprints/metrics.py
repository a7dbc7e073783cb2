"""Metrics for Prometheus: what this web process, the others beside it, and the relays have counted."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, cast

from flask import Blueprint, Flask, Response, current_app

from pipeline.errors import SpanfeedError
from tasks.chat import QUEUES
from web import metrics_door
from web.auth import Scope, needs
from web.extensions import limiter
from web.feed.presence import presence
from web.feed.tally import tally
from web.metrics import as_text
from web.metrics_requests import Requests, register
from web.relay import orders, sockets
from web.state import WebState, web_state

blueprint = Blueprint("metrics", __name__)
_NAME = "spanfeed-metrics"
_KEPT_SECONDS = 1.0
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Of one app: its own figures, and the last answer, so that many strangers who ask cost no more than one."""

    def __init__(self, state: WebState) -> None:
        self._state = state
        self._lock = threading.Lock()
        """Has one request gather at a time."""
        self._text = b""
        self._until = 0.0
        self.requests = Requests()
        self.door = metrics_door.MetricsDoor(state.settings.home_path, self.figures)

    def figures(self) -> dict[str, Any]:
        """What this process has counted."""
        gauges = {"sessions": self._state.listener.sessions}
        process = {"process": f"web-{os.getpid()}", "gauges": gauges, "streams": presence.figures}
        return {**process, **tally.figures, **self.requests.figures}

    def everybodys(self) -> list[dict[str, Any]]:
        """What this process, the other web processes and the relays have counted, each by itself."""
        return [self.figures(), *metrics_door.others(self._state.settings.home_path), *self._relays()]

    def text(self) -> bytes:
        """Everybody's; where everybody may ask, up to a second old."""
        with self._lock:
            if not self._state.settings.metrics_public or time.monotonic() >= self._until:
                processes = self.everybodys()
                relays = sum(one["process"].startswith("relay-") for one in processes)
                self._text = as_text(processes, self._of_redis() | {"relays": relays})
                self._until = time.monotonic() + _KEPT_SECONDS
            return self._text

    def _relays(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        settings = self._state.settings
        for number in range(settings.relays if sockets.are_possible() else 0):
            try:
                found.append(metrics_door.figures_at(sockets.folder(settings.home_path), orders.name_of(number)))
            except (OSError, ValueError):
                continue
        return found

    def _of_redis(self) -> dict[str, Any]:
        log = self._state.bus.log
        try:
            found: dict[str, Any] = {
                "backlog": log.backlog(),
                "dropped": log.dropped(),
                "stored": log.stored(),
            }
            if self._state.settings.celery_broker_url == self._state.settings.redis_url:
                found["queues"] = self._state.bus.queue_lengths(QUEUES)
        except SpanfeedError:
            return {}
        return found


def add_to(app: Flask, state: WebState) -> None:
    """Has the app count, and answer."""
    made = app.extensions[_NAME] = Metrics(state)
    app.before_request(made.door.open)
    register(app, made.requests)
    app.register_blueprint(blueprint)


def of_the_app() -> Metrics:
    """The app's."""
    return cast(Metrics, current_app.extensions[_NAME])


def _answer() -> Response:
    return Response(of_the_app().text(), content_type=_TYPE)


_for_operators = needs(Scope.ADMIN)(_answer)


@blueprint.get("/metrics")
@limiter.exempt
def metrics() -> Response:
    """For a key with all scopes, or for everybody where the setting says so."""
    return _answer() if web_state().settings.metrics_public else _for_operators()


metrics.spanfeed_policy = Scope.ADMIN  # type: ignore[attr-defined]

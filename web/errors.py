"""Every error as problem+json (RFC 9457), with `detail` as the seeds' clients read it."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from pipeline.errors import BusUnavailable, IdempotencyMismatch, InvalidCursor, StoreUnavailable, TooManyInFlight
from pipeline.event import encode
from web.extensions import wait_seconds

TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "In conflict with what there is",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unprocessable",
    426: "Another version is needed",
    429: "Too many requests",
    500: "Internal error",
    501: "Not possible here",
    503: "Unavailable",
}
RETRY_AFTER_SECONDS = 2


class Problem(Exception):
    """An error that the client is to see. `detail` is a sentence, or for 422 a list of {type, loc, msg, input}."""

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str | list[dict[str, Any]],
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(slug)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.headers = headers or {}
        self.more = more


def invalid(location: str, field: str, message: str, kind: str, value: Any = None) -> Problem:
    """A 422 for one field, as `location` (body, query, path) has it."""
    shown = value if isinstance(value, int | float | bool) or value is None else str(value)[:100]
    return Problem(422, kind, [{"type": kind, "loc": [location, field], "msg": message, "input": shown}])


def request_id() -> str:
    """This request's id; made at the first question."""
    if not hasattr(g, "request_id"):
        g.request_id = uuid.uuid4().hex
    return str(g.request_id)


def answer(problem: Problem) -> Response:
    """The response for a problem."""
    body = {
        "type": f"urn:spanfeed:problem:{problem.slug}",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.detail,
        "instance": f"/requests/{request_id()}",
        **problem.more,
    }
    response = Response(encode(body), problem.status, content_type="application/problem+json")
    response.headers.update(problem.headers)
    # The limiter writes its own over it, on every answer.
    g.retry_after = problem.headers.get("Retry-After")
    return response


def register(app: Flask) -> None:
    """Answers every error of the app."""

    @app.errorhandler(Problem)
    def on_problem(problem: Problem) -> Response:
        return answer(problem)

    @app.errorhandler(InvalidCursor)
    def on_cursor(error: InvalidCursor) -> Response:
        return answer(invalid("query", "after", str(error), "invalid_cursor"))

    @app.errorhandler(IdempotencyMismatch)
    def on_mismatch(error: IdempotencyMismatch) -> Response:
        return answer(Problem(422, "idempotency_mismatch", str(error)))

    @app.errorhandler(TooManyInFlight)
    def on_in_flight(error: TooManyInFlight) -> Response:
        return answer(Problem(429, "too_many_in_flight", str(error), {"Retry-After": str(RETRY_AFTER_SECONDS)}))

    @app.errorhandler(BusUnavailable)
    def on_bus(_: BusUnavailable) -> Response:
        return answer(unavailable("Redis"))

    @app.errorhandler(StoreUnavailable)
    def on_store(_: StoreUnavailable) -> Response:
        return answer(unavailable("the database"))

    @app.errorhandler(HTTPException)
    def on_http(error: HTTPException) -> Response:
        status = error.code or 500
        if status == 405:
            allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or []))
            return answer(Problem(405, "method_not_allowed", f"Allowed here: {allowed}", {"Allow": allowed}))
        if status == 429:
            headers = {"Retry-After": str(wait_seconds())}
            return answer(Problem(429, "too_many_requests", f"Too many requests: {error.description}", headers))
        details = {404: "Not Found", 413: "The body is larger than is accepted here"}
        slug = str(error.name).lower().replace(" ", "_")
        return answer(Problem(status, slug, details.get(status, error.description or str(error.name))))

    @app.errorhandler(Exception)
    def on_anything(error: Exception) -> Response:
        app.logger.error("request %s failed", request_id(), exc_info=error)
        return answer(Problem(500, "internal", "Something went wrong here; the id below finds it in the log."))


def unavailable(what: str) -> Problem:
    """A 503 that says what is down."""
    detail = f"{what} does not answer at the moment. Please try again."
    return Problem(503, "unavailable", detail[0].upper() + detail[1:], {"Retry-After": str(RETRY_AFTER_SECONDS)})

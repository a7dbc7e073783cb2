"""Answers in JSON that a client may keep, and ask after: ETag, 304, Vary, and 406 for whoever wants no JSON."""

from __future__ import annotations

from flask import Response, request

from web.errors import Problem

_HEADERS = {
    # To be kept by the client alone, and only to ask whether it still holds.
    "Cache-Control": "no-cache, private",
    "Vary": "Accept, Authorization, X-API-Key, Cookie",
}


def wants_json() -> None:
    """Raises Problem (406) for a client that does not take JSON."""
    accepted = request.accept_mimetypes
    if accepted and not accepted.quality("application/json"):
        raise Problem(406, "not_acceptable", "This is only to be had as application/json.", {"Vary": "Accept"})


def answer(body: bytes, tag: str, headers: dict[str, str] | None = None) -> Response:
    """The body with its weak tag, or 304 without it when the client has it already."""
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
        del response.headers["Content-Type"]
    else:
        response = Response(body, content_type="application/json")
    response.set_etag(tag, weak=True)
    response.headers.update({**_HEADERS, **(headers or {})})
    return response

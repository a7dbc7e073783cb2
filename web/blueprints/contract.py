"""What the API says of itself: the documents that programs read, made at the first question."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

from pipeline.event import encode
from web.auth import public
from web.extensions import limiter, requests_limit

blueprint = Blueprint("contract", __name__)
_NAME = "spanfeed-contract"


@blueprint.get("/api/v1/openapi.json")
@limiter.limit(requests_limit)
@public
def openapi() -> Response:
    """This API as an OpenAPI document."""
    # Here, since nobody asks for it at a start: a server of feeds would carry it for nothing.
    from web.contract.openapi import document

    return _answer("openapi", document)


@blueprint.get("/api/v1/asyncapi.json")
@limiter.limit(requests_limit)
@public
def asyncapi() -> Response:
    """The feeds as an AsyncAPI document."""
    from web.contract.asyncapi import document

    return _answer("asyncapi", document)


@blueprint.get("/api/v1/docs")
@limiter.limit(requests_limit)
@public
def docs() -> Response:
    """Both documents as a page for people."""
    from web.contract.page import page

    return _answer("docs", page, "text/html; charset=utf-8")


def _answer(name: str, make: Callable[[Flask], Any], media: str = "application/json") -> Response:
    """The document, which is the same as long as the process lives, or 304."""
    kept: dict[str, bytes] = current_app.extensions.setdefault(_NAME, {})
    if name not in kept:
        # Of two threads that make it at the same moment either one's will do: they are the same.
        made = make(current_app)
        kept[name] = made.encode() if isinstance(made, str) else encode(made)
    response = Response(kept[name], content_type=media)
    response.set_etag(hashlib.sha256(kept[name]).hexdigest()[:32])
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response

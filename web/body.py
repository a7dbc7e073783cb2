"""Reading a request's JSON body: strict, bounded, with errors that say what was wrong."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

import orjson
from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from web.errors import Problem

_DEPTH_LIMIT = 32
_KEYS_LIMIT = 200
M = TypeVar("M", bound=BaseModel)


def _check_depth(value: Any, depth: int = 1) -> None:
    if depth > _DEPTH_LIMIT:
        raise Problem(400, "too_deep", f"The body is nested deeper than {_DEPTH_LIMIT}.")
    if isinstance(value, dict):
        if len(value) > _KEYS_LIMIT:
            raise Problem(422, "too_many_keys", f"An object has more than {_KEYS_LIMIT} keys.")
        for item in value.values():
            _check_depth(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_depth(item, depth + 1)


def read_raw(media_types: tuple[str, ...]) -> bytes:
    """The body as it came. Raises Problem."""
    if request.mimetype not in media_types:
        raise Problem(415, "unsupported_media_type", f"The body must be {' or '.join(media_types)}.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(415, "unsupported_encoding", "The body must not be compressed.")
    raw = request.get_data()
    if request.content_length is None and len(raw) >= (request.max_content_length or sys.maxsize):
        # A body that does not tell its length is cut at the limit without a word.
        raise RequestEntityTooLarge
    return raw


def decode(raw: bytes) -> Any:
    """What JSON says, not too deep. Raises Problem."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "recursion" in str(error).lower() or raw.count(b"[") + raw.count(b"{") > 1_000:
            raise Problem(400, "too_deep", f"The body is nested deeper than {_DEPTH_LIMIT}.") from None
        raise Problem(400, "invalid_json", f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    _check_depth(value)
    return value


def checked_object(value: Any) -> dict[str, Any]:
    """`value` if it is an object. Raises Problem."""
    if not isinstance(value, dict):
        detail = [{"type": "dict_type", "loc": ["body"], "msg": "Input should be an object", "input": None}]
        raise Problem(422, "not_an_object", detail)
    return value


def read_json() -> dict[str, Any]:
    """The body's object. Raises Problem."""
    return checked_object(decode(read_raw(("application/json",))))


def parse(model: type[M], value: dict[str, Any]) -> M:
    """`value` as a model. Raises Problem (422) with what was wrong and where."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        detail = [
            {
                "type": item["type"],
                "loc": ["body", *item["loc"]],
                "msg": item["msg"],
                "input": _shown(item["input"]),
            }
            for item in error.errors(include_url=False, include_context=False)
        ]
        raise Problem(422, "invalid_body", detail) from None


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | bool) else str(value)[:100]

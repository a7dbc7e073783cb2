"""Reading a request's JSON body: strict, bounded, with errors that say what was wrong."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from typing import Any, TypeVar

import orjson
from flask import Response, after_this_request, request
from gunicorn.http.errors import ParseException
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from web.errors import Problem
from web.handover import read_ahead_of, socket_of
from web.state import web_state

_DEPTH_LIMIT = 32
_KEYS_LIMIT = 200
_TEXT_LIMIT_CHARACTERS = 16_384
M = TypeVar("M", bound=BaseModel)


def _check_shape(value: Any, longest: int, path: tuple[str | int, ...] = ()) -> None:
    """Raises Problem for a value that is too deep, too wide, or holds too long a text."""
    if len(path) >= _DEPTH_LIMIT and isinstance(value, dict | list):
        raise _too_deep()
    if isinstance(value, dict):
        if len(value) > _KEYS_LIMIT:
            raise _wrong("too_many_keys", path, f"must have at most {_KEYS_LIMIT} keys")
        for key, item in value.items():
            _check_shape(key, longest, (*path, key[:50]))
            _check_shape(item, longest, (*path, key[:50]))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check_shape(item, longest, (*path, place))
    elif isinstance(value, str) and len(value) > longest:
        raise _wrong("too_long", path, f"must have at most {longest} characters", len(value))


def _too_deep() -> Problem:
    return Problem(400, "too_deep", f"The body is nested deeper than {_DEPTH_LIMIT}.")


def _wrong(kind: str, path: tuple[str | int, ...], message: str, shown: Any = None) -> Problem:
    return Problem(422, kind, [{"type": kind, "loc": ["body", *path], "msg": message, "input": shown}])


def _once(pairs: list[tuple[str, Any]]) -> None:
    """Refuses an object in which a key stands twice: two readers would take it for two different things."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise Problem(400, "duplicate_key", "The body has an object in which a key stands twice.")


def _hang_up(response: Response) -> Response:
    client = socket_of(request.environ)

    def shut() -> None:
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    read_ahead_of(request.environ)
    response.call_on_close(shut)
    return response


def read_raw(media_types: tuple[str, ...]) -> bytes:
    """The body as it came. Raises Problem."""
    if request.mimetype not in media_types:
        raise Problem(415, "unsupported_media_type", f"The body must be {' or '.join(media_types)}.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(415, "unsupported_encoding", "The body must not be compressed.")
    try:
        raw = request.get_data()
    except (OSError, ParseException):
        # Chunks that are none, or a client that went away. What follows on the connection can mean anything.
        after_this_request(_hang_up)
        raise Problem(400, "invalid_body", "The body did not come as its head had said.") from None
    if request.content_length is None and len(raw) >= (request.max_content_length or sys.maxsize):
        # A body that does not tell its length is cut at the limit without a word.
        raise RequestEntityTooLarge
    return raw


def decode(raw: bytes, longest_text: int | None = None) -> Any:
    """What JSON says, not too deep, without too long a text (as of a message, if nothing else is said).

    Raises Problem.
    """
    limit = web_state().settings.body_values_limit
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > limit:
        # Before it is taken apart: four megabytes of empty objects are a hundred once they are read.
        raise Problem(413, "too_many_values", f"The body has more than {limit} values.")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "recursion" in str(error).lower() or raw.count(b"[") + raw.count(b"{") > 1_000:
            raise _too_deep() from None
        raise Problem(400, "invalid_json", f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    longest = max(_TEXT_LIMIT_CHARACTERS, web_state().settings.message_limit_characters)
    _check_shape(value, longest if longest_text is None else longest_text)
    json.loads(raw, object_pairs_hook=_once)
    return value


def checked_object(value: Any) -> dict[str, Any]:
    """`value` if it is an object. Raises Problem."""
    if not isinstance(value, dict):
        detail = [{"type": "dict_type", "loc": ["body"], "msg": "Input should be an object", "input": None}]
        raise Problem(422, "not_an_object", detail)
    return value


def read_json(longest_text: int | None = None) -> dict[str, Any]:
    """The body's object; `longest_text` as of `decode`. Raises Problem."""
    return checked_object(decode(read_raw(("application/json",)), longest_text))


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

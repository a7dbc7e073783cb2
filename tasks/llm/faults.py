"""What goes wrong at a model's endpoint, told as the two errors that a stage knows, free of keys and bodies."""

from __future__ import annotations

import datetime
import email.utils
import math

import httpx

from pipeline.errors import StageFailed, TransientFault

RETRY_AFTER_LIMIT_SECONDS = 60.0

_TRANSIENT = frozenset({408, 409, 425, 429})
_SENTENCES = {
    400: "The model's endpoint did not accept the request.",
    401: "The model's endpoint refused the key.",
    402: "The model's endpoint wants to be paid first.",
    403: "The model's endpoint does not allow this key to use the model.",
    404: "The model's endpoint does not know the model, or the address is not that of an OpenAI-compatible API.",
    408: "The model's endpoint took too long.",
    413: "The request is too long for the model's endpoint.",
    422: "The model's endpoint did not accept the request.",
    429: "The model's endpoint has too much to do.",
}
_PERMANENT_WORDS = frozenset(
    {
        "authentication_error",
        "content_filter",
        "context_length_exceeded",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_request_error",
        "model_not_found",
        "permission_error",
    }
)


def of_status(status: int, retry_after: str | None = None, date: str | None = None) -> TransientFault | StageFailed:
    """The error for an HTTP status that is not a success; `retry_after` and `date` are the headers' values."""
    sentence = _SENTENCES.get(status, f"The model's endpoint answered with status {status}.")
    if status in _TRANSIENT or status >= 500:
        return TransientFault(sentence, retry_after_seconds(retry_after, date))
    return StageFailed(sentence)


def retry_after_seconds(retry_after: str | None, date: str | None = None) -> float | None:
    """How long to wait, from 0 to 60 s, by a Retry-After header of seconds or a date; None when it says nothing.

    A date is read by the endpoint's own clock (`date`, its Date header) where it told it.
    """
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        then, now = _moment(retry_after), _moment(date or "")
        if then is None:
            return None
        seconds = (then - (now or datetime.datetime.now(datetime.UTC))).total_seconds()
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_SECONDS)


def _moment(text: str) -> datetime.datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def of_error_object(error: object) -> TransientFault | StageFailed:
    """The error for an `error` that stood where a piece of the answer should have been."""
    told = error if isinstance(error, dict) else {}
    for value in (told.get("code"), told.get("status"), told.get("type")):
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
            return of_status(value)
        if isinstance(value, str) and value in _PERMANENT_WORDS:
            return StageFailed(f"The model's endpoint gave up: {value}.")
    return TransientFault("The model's endpoint reported an error.")


def of_exception(error: httpx.HTTPError | httpx.InvalidURL) -> TransientFault | StageFailed:
    """The error for what httpx raised; its own text is dropped, as it may hold addresses and headers."""
    match error:
        case httpx.ConnectTimeout() | httpx.ConnectError() | httpx.PoolTimeout() | httpx.ProxyError():
            return TransientFault("The model's endpoint cannot be reached.")
        case httpx.TimeoutException():
            return stalled()
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
            return StageFailed("The model's endpoint cannot be asked: its address or key is malformed.")
        case _:
            return cut()


def stalled() -> TransientFault:
    """The error for an endpoint that went silent."""
    return TransientFault("The model's endpoint has gone silent.")


def cut() -> TransientFault:
    """The error for an answer whose end never came."""
    return TransientFault("The model's endpoint broke off its answer.")

"""Connections to Redis and the calling of scripts: the only module that imports the redis library."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.bus import keys
from pipeline.errors import BusRefused, BusUnavailable, SettingError
from pipeline.settings import Settings

Argument = str | bytes | int | float

LARGE_EVENT_BYTES = 32_768
"""The log remembers where its newest event of this size lies; a reader that is behind it reads fewer at once."""

_FOLDER = Path(__file__).parent
_SCRIPTS = tuple(sorted(p.stem for p in _FOLDER.glob("*.lua") if p.stem != "prelude"))
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
_FAULTS = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError)
# What Redis answers while it starts, fails over or is full: asking again later is right, and nothing was written.
_PASSING = {"LOADING", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "OOM", "MISCONF", "BUSY"}
# The library has classes for some of them, whose texts have lost the word.
_PASSING_CLASSES = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.TryAgainError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
)


def connect(url: str, timeout_seconds: float | None, connect_timeout_seconds: float = 2.0) -> redis.Redis:
    """A client without retries of its own: a repeated append would make two events.

    `timeout_seconds` bounds one answer; None waits for ever (blocking reads bring their own bound).
    """
    if not url:
        raise SettingError("REDIS_URL is not set: only `spanfeed up` starts a Redis of its own")
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=connect_timeout_seconds,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            decode_responses=False,
        )
    except ValueError:
        raise SettingError("REDIS_URL must begin with redis://, rediss:// or unix://") from None


def asking(call: Callable[[], Any]) -> Any:
    """What `call` gives. Raises BusUnavailable for a fault that passes, BusRefused for any other answer of Redis."""
    try:
        return call()
    except _FAULTS as error:
        raise BusUnavailable(f"Redis did not answer: {type(error).__name__}") from error
    except redis.exceptions.ResponseError as error:
        word = str(error).partition(" ")[0]
        if word in _PASSING or isinstance(error, _PASSING_CLASSES):
            raise BusUnavailable(f"Redis refused for now: {type(error).__name__} {word}") from error
        raise BusRefused(str(error)) from error


class Scripts:
    """The Lua scripts, called by their digest and loaded when Redis does not know them."""

    def __init__(self, settings: Settings) -> None:
        constants = {
            "STREAM_LIMIT": settings.session_stream_limit_events,
            "STREAM_TTL_MS": settings.session_stream_ttl_seconds * 1000,
            "SEQ_TTL_MS": settings.sequence_ttl_seconds * 1000,
            "RUN_TTL_MS": settings.run_ttl_seconds * 1000,
            "LOG_LIMIT": settings.log_limit_events,
            "LARGE_BYTES": LARGE_EVENT_BYTES,
        }
        head = "".join(f"local {name} = {value}\n" for name, value in constants.items())
        head += f"local CHANNEL = '{keys.CHANNELS}'\n" + (_FOLDER / "prelude.lua").read_text(encoding="utf-8")
        self._texts = {name: head + (_FOLDER / f"{name}.lua").read_text(encoding="utf-8") for name in _SCRIPTS}
        self._digests = {
            name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in self._texts.items()
        }

    def call(self, client: redis.Redis, name: str, key_names: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """One call. Raises BusUnavailable; the script may have run all the same."""

        def run() -> Any:
            try:
                return client.evalsha(self._digests[name], len(key_names), *key_names, *arguments)
            except redis.exceptions.NoScriptError:
                return client.eval(self._texts[name], len(key_names), *key_names, *arguments)

        return asking(run)

    def insist(
        self,
        client: redis.Redis,
        name: str,
        key_names: Sequence[str],
        arguments: Sequence[Argument],
        deadline_seconds: float,
    ) -> Any:
        """Calls until Redis answers, at most `deadline_seconds`; only for scripts that may be called again."""
        deadline = time.monotonic() + deadline_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return self.call(client, name, key_names, arguments)
            except BusUnavailable:
                if time.monotonic() + pause >= deadline:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter  # nosec
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

"""Embeddings of texts from an OpenAI-compatible endpoint: of batches of chunks, and of questions within a moment."""

from __future__ import annotations

import array
import math
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import httpx
import orjson

from pipeline.breaker import Breaker
from pipeline.errors import EmbeddingsFailed
from pipeline.settings import Settings

_QUESTIONS_KEPT = 256
# A batch of 64 embeddings with 4,096 numbers each, as text.
_REPLY_LIMIT_BYTES = 64_000_000


class Embedder:
    """Asks `{base_url}/embeddings`. Safe to use from several threads and after a fork."""

    def __init__(self, settings: Settings) -> None:
        url = httpx.URL(settings.embeddings_base_url)
        self._url = url.copy_with(path=url.path.rstrip("/") + "/embeddings")
        self._settings = settings
        self._breaker = Breaker(settings.breaker_failures_limit, settings.embeddings_pause_ms / 1000)
        self._client: httpx.Client | None = None
        self._pid = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        """Held while a question is asked for: the searches of several collections want the same one."""

    def of_chunks(self, texts: Sequence[str]) -> list[bytes]:
        """The embedding of each text, as float32, little-endian, of length 1. Raises EmbeddingsFailed."""
        seconds = self._settings.embeddings_timeout_seconds
        return self._ask(
            texts, httpx.Timeout(seconds, connect=self._settings.embeddings_connect_timeout_seconds), seconds
        )

    def of_question(self, text: str) -> bytes:
        """The embedding of a question, soon. Raises EmbeddingsFailed, at once after many failures in a row."""
        seconds = self._settings.embeddings_query_timeout_ms / 1000
        if not self._lock.acquire(timeout=seconds):
            raise EmbeddingsFailed("Others wait for the endpoint of embeddings already.")
        try:
            if text in self._kept:
                self._kept.move_to_end(text)
                return self._kept[text]
            if not self._breaker.allows():
                raise EmbeddingsFailed("The endpoint of embeddings has failed too often a moment ago.")
            try:
                found = self._ask([text], httpx.Timeout(seconds), seconds)[0]
            except EmbeddingsFailed:
                self._breaker.failed()
                raise
            self._breaker.succeeded()
            self._kept[text] = found
            if len(self._kept) > _QUESTIONS_KEPT:
                self._kept.popitem(last=False)
            return found
        finally:
            self._lock.release()

    def close(self) -> None:
        """Ends the connections."""
        if self._client is not None and self._pid == os.getpid():
            self._client.close()
        self._client = None

    def _ask(self, texts: Sequence[str], timeout: httpx.Timeout, seconds: float) -> list[bytes]:
        body = {"model": self._settings.embeddings_model, "input": list(texts), "encoding_format": "float"}
        deadline = time.monotonic() + seconds
        try:
            with self._opened().stream(
                "POST", self._url, content=orjson.dumps(body), headers=self._headers(), timeout=timeout
            ) as reply:
                if reply.status_code != httpx.codes.OK:
                    raise EmbeddingsFailed(f"The endpoint of embeddings answered with status {reply.status_code}.")
                return read_reply(_read(reply, deadline), len(texts))
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError, orjson.JSONEncodeError) as error:
            # Its own text may hold the address and headers.
            raise EmbeddingsFailed(f"The endpoint of embeddings cannot be asked: {type(error).__name__}.") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "spanfeed"}
        if self._settings.embeddings_api_key:
            headers["Authorization"] = f"Bearer {self._settings.embeddings_api_key}"
        return headers

    def _opened(self) -> httpx.Client:
        # A connection belongs to one process.
        if self._client is None or self._pid != os.getpid():
            self._client, self._pid = (
                httpx.Client(trust_env=self._url.host not in {"127.0.0.1", "localhost"}),
                os.getpid(),
            )
        return self._client


def _read(reply: httpx.Response, deadline: float) -> bytes:
    parts, size = [], 0
    for part in reply.iter_bytes():
        size += len(part)
        if size > _REPLY_LIMIT_BYTES:
            raise EmbeddingsFailed("The endpoint of embeddings answered with too much.")
        if time.monotonic() > deadline:
            raise EmbeddingsFailed("The endpoint of embeddings did not answer in time.")
        parts.append(part)
    return b"".join(parts)


def read_reply(raw: bytes, count: int) -> list[bytes]:
    """The `count` embeddings of a reply, by their `index`. Raises EmbeddingsFailed when they are not what was asked."""
    try:
        data: Any = orjson.loads(raw)["data"]
        found = {item.get("index", place): packed(item["embedding"]) for place, item in enumerate(data)}
        ordered = [found[number] for number in range(count)]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise EmbeddingsFailed("The endpoint of embeddings answered with something else.") from None
    if len(found) != count or len({len(values) for values in ordered}) > 1:
        raise EmbeddingsFailed("The endpoint of embeddings answered with something else.")
    return ordered


def packed(values: Sequence[float]) -> bytes:
    """The vector as float32, little-endian, stretched to length 1. Raises ValueError for one without a direction."""
    length = math.hypot(*values)
    if not math.isfinite(length) or length == 0:
        raise ValueError("a vector has no direction")
    made = array.array("f", [value / length for value in values])
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()

"""Reads one streamed answer in a thread of its own, so that whoever waits for it can stop waiting."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
import json
import queue
import ssl
import threading
import types
from typing import Any

import httpx

from pipeline.errors import SpanfeedError, StageFailed, TransientFault
from tasks.llm import chunks, faults, sse

QUEUE_LIMIT_CHUNKS = 256
BODY_LIMIT_BYTES = 4_194_304
JOIN_DEADLINE_SECONDS = 2.0
# Longer than a stage may live: a reader that nobody reads from must end all the same.
ROOM_DEADLINE_SECONDS = 120.0
ROOM_POLL_SECONDS = 0.01
OPTIONS = ("stream_options", "temperature")
"""What an endpoint may refuse, and is then asked without: older ones the first, models that reason the second."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A request for an answer; `trust_env` lets httpx use the proxies that the machine is configured with."""

    url: httpx.URL
    headers: dict[str, str] = dataclasses.field(repr=False)
    body: dict[str, Any] = dataclasses.field(repr=False)
    timeout: httpx.Timeout
    verify: ssl.SSLContext
    trust_env: bool


@dataclasses.dataclass(frozen=True)
class Ended:
    """The last thing a reader gives; `fault` is None when the endpoint closed its answer in order."""

    fault: Exception | None


class _OptionRefused(SpanfeedError):
    """The endpoint does not take one of the request's options."""

    def __init__(self, option: str) -> None:
        super().__init__()
        self.option = option


class Reader:
    """A context manager: on entry the request is sent, on exit its connection is closed and the thread has ended.

    The thread runs an event loop of its own, because every wait there (for a name, a connection, TLS, a byte) can be
    cancelled at once from outside; a blocking read can only be waited for. Made per answer, so nothing is shared
    with a process forked before or after.
    """

    def __init__(self, call: Call) -> None:
        self.refused: set[str] = set()
        self._call = call
        self._items: queue.Queue[chunks.Chunk | Ended] = queue.Queue(QUEUE_LIMIT_CHUNKS)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        # With the caller's context a span of the HTTP client finds the stage's span as its parent.
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._run,), name="model-reader", daemon=True
        )

    def __enter__(self) -> Reader:
        self._loop = asyncio.new_event_loop()
        try:
            self._thread.start()
        except RuntimeError:
            self._loop.close()
            raise TransientFault("This process cannot start another thread.") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        assert self._loop is not None
        # A closed loop: the thread is ending by itself.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(JOIN_DEADLINE_SECONDS)

    def next(self, timeout_seconds: float) -> chunks.Chunk | Ended | None:
        """The next chunk in which something happened, or the end; None when neither came in time."""
        try:
            return self._items.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        assert self._loop is not None
        try:
            self._task = self._loop.create_task(self._read())
            # Cancelled: nobody waits for an end any more.
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _read(self) -> None:
        fault: Exception | None = None
        try:
            await self._ask()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fault = faults.of_exception(error)
        except Exception as error:  # noqa: BLE001 - raised again where the answer is awaited
            fault = error
        await self._put(Ended(fault))

    async def _ask(self) -> None:
        call = self._call
        async with httpx.AsyncClient(timeout=call.timeout, verify=call.verify, trust_env=call.trust_env) as client:
            body = dict(call.body)
            while True:
                try:
                    return await self._post(client, body)
                except _OptionRefused as refusal:
                    # Each once: what is left out cannot be refused again.
                    self.refused.add(refusal.option)
                    del body[refusal.option]

    async def _post(self, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        async with client.stream("POST", self._call.url, headers=self._call.headers, content=content) as response:
            kind = response.headers.get("content-type", "").lower()
            if not response.is_success:
                await self._refuse(response, [option for option in OPTIONS if option in body])
            elif "json" in kind and "event-stream" not in kind and "ndjson" not in kind:
                # An endpoint that does not stream answers in one piece.
                for chunk in chunks.read((await self._body(response)).decode("utf-8", "replace")):
                    await self._put(chunk)
            elif "html" in kind:
                raise StageFailed("The model's address leads to a web page, not to an OpenAI-compatible API.")
            else:
                await self._events(response)

    async def _events(self, response: httpx.Response) -> None:
        parser = sse.EventParser()
        async for piece in response.aiter_bytes():
            for data in parser.feed(piece):
                await self._tell(data)
        for data in parser.finish():
            await self._tell(data)

    async def _tell(self, data: str) -> None:
        for chunk in chunks.read(data):
            if chunk.alive or chunk.fault is not None:
                await self._put(chunk)

    async def _refuse(self, response: httpx.Response, options: list[str]) -> None:
        if options and response.status_code in {400, 422}:
            told = await self._body(response)
            for option in options:
                if option.encode() in told:
                    raise _OptionRefused(option)
        headers = response.headers
        raise faults.of_status(response.status_code, headers.get("retry-after"), headers.get("date"))

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > BODY_LIMIT_BYTES:
                raise TransientFault("The model's endpoint sent more than an answer can be.")
        return bytes(body)

    async def _put(self, item: chunks.Chunk | Ended) -> None:
        deadline = asyncio.get_running_loop().time() + ROOM_DEADLINE_SECONDS
        while True:
            try:
                return self._items.put_nowait(item)
            except queue.Full:
                if asyncio.get_running_loop().time() > deadline:
                    raise asyncio.CancelledError from None
                await asyncio.sleep(ROOM_POLL_SECONDS)

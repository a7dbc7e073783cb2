"""Hands: threads that call handlers, each call for a bounded time; a thread whose call hangs is left behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import inspect
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from pipeline.unified.event import UnifiedEvent

Handler = Callable[[UnifiedEvent], Any]
"""Takes an event; what it gives is ignored, unless it can be awaited."""


class HandlerTimedOut(Exception):
    """A handler took longer than it may."""


def _in_vain(error: BaseException) -> RuntimeError:
    """A handler's wish to end the program, which is not the handlers' to end, as an ordinary error."""
    return RuntimeError(f"a handler raised {type(error).__name__}")


def _back(loop: asyncio.AbstractEventLoop) -> concurrent.futures.Future[Any]:
    """Done once a blocked loop works again."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    loop.call_soon_threadsafe(future.set_result, None)
    return future


class _Hand:
    """One thread that calls what it is given, one after the other."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="event-handlers", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def call(self, handler: Handler, event: UnifiedEvent) -> concurrent.futures.Future[Any]:
        """Calls it in the thread, with the caller's context."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        context = contextvars.copy_context()

        def job() -> None:
            try:
                future.set_result(context.run(handler, event))
            except Exception as error:  # noqa: BLE001 - whoever waits for the future is told
                future.set_exception(error)
            except BaseException as error:  # noqa: BLE001
                future.set_exception(_in_vain(error))

        self._jobs.put(job)
        return future

    def end(self) -> None:
        """Lets the thread end behind what it does."""
        self._jobs.put(None)


async def _end_tasks() -> None:
    """Cancels what is still under way in this loop."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class _Loop:
    """An event loop of its own in a thread, for async handlers of programs that have none."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="event-handlers-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.run_until_complete(_end_tasks())
        self.loop.close()

    def end(self, seconds: float) -> None:
        """Stops the loop."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(seconds)


class Hands:
    """Calls handlers for one dispatcher. Not safe to use from several threads."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._hand: _Hand | None = None
        self._loop: _Loop | None = None

    def call(
        self,
        handler: Handler,
        event: UnifiedEvent,
        home: asyncio.AbstractEventLoop | None,
        hangs: Callable[[concurrent.futures.Future[Any]], None],
    ) -> None:
        """Calls a handler and waits for it. Raises what it raises, or HandlerTimedOut.

        An async handler runs in `home`, the loop of the program that added it, or in one of our own. `hangs` is told
        of a call that was left behind.
        """
        if inspect.iscoroutinefunction(handler):
            self._await(handler(event), home, hangs)
            return
        self._hand = self._hand or _Hand()
        future = self._hand.call(handler, event)
        try:
            found = future.result(self._timeout_seconds)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            self._hand.end()
            self._hand = None
            hangs(future)
            raise HandlerTimedOut(f"longer than {self._timeout_seconds:g} s") from None
        if inspect.isawaitable(found):
            self._await(found, home, hangs)

    def _await(
        self,
        awaitable: Awaitable[Any],
        home: asyncio.AbstractEventLoop | None,
        hangs: Callable[[concurrent.futures.Future[Any]], None],
    ) -> None:
        async def run() -> None:
            try:
                await asyncio.wait_for(awaitable, self._timeout_seconds)
            except (SystemExit, KeyboardInterrupt) as error:
                raise _in_vain(error) from None

        loop = home if home is not None and home.is_running() else self._own_loop()
        future = asyncio.run_coroutine_threadsafe(run(), loop)
        try:
            # A loop that is blocked cannot stop the handler itself.
            future.result(self._timeout_seconds * 1.5 + 0.1)
        except (TimeoutError, concurrent.futures.TimeoutError):
            future.cancel()
            hangs(_back(loop))
            if self._loop is not None and loop is self._loop.loop:
                loop.call_soon_threadsafe(loop.stop)
                self._loop = None
            raise HandlerTimedOut(f"longer than {self._timeout_seconds:g} s") from None
        except concurrent.futures.CancelledError:
            raise HandlerTimedOut("its loop has ended") from None

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        self._loop = self._loop or _Loop()
        return self._loop.loop

    def end(self) -> None:
        """Lets the threads go."""
        if self._hand is not None:
            self._hand.end()
            self._hand = None
        if self._loop is not None:
            self._loop.end(self._timeout_seconds)
            self._loop = None

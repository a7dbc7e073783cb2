"""The connection over which a process sends to Celery's broker, and asks it, where scripts cannot: another broker.

Every call has a deadline of a few seconds, since a user or a stage waits for it. Nothing depends on one message: the
run in Redis is the truth, and the watchdog sends again what the broker did not take.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from celery import Celery
from celery.utils.threads import bound_open_broker_sockets
from kombu import Connection
from kombu.exceptions import ChannelError, KombuError

from pipeline.errors import BusUnavailable
from tasks.celery import app as spanfeed_app

_T = TypeVar("_T")
# A broker that lives answers within milliseconds; with this a request that finds it silent still takes below 3 s.
_ANSWER_SECONDS = 1.0
_NO_SUCH_QUEUE = "404"


class Broker:
    """One connection, made when it is first needed and again when it was lost. Safe to use from several threads."""

    def __init__(self, app: Celery, answer_seconds: float = _ANSWER_SECONDS) -> None:
        self._app = app
        self._answer_seconds = answer_seconds
        self._lock = threading.Lock()
        """Held by the thread that speaks with the broker."""
        self._connection: Connection | None = None
        self._producer: Any = None
        self._silent_until = 0.0

    def publish(self, task: str, **options: Any) -> None:
        """Sends one task's message, and returns when the broker has it. Raises BusUnavailable."""

        def send(connection: Connection) -> None:
            if self._producer is None:
                self._producer = self._app.amqp.Producer(connection.channel(), auto_declare=False)
            self._app.send_task(task, producer=self._producer, retry=False, **options)

        self.speak(send)

    def waiting(self, queue: str) -> int:
        """How many messages lie in a queue; none in one that does not exist. Raises BusUnavailable."""

        def ask(connection: Connection) -> int:
            channel = connection.channel()
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except ChannelError as error:
                if str(error.reply_code) != _NO_SUCH_QUEUE:
                    raise
                return 0
            finally:
                channel.close()

        return self.speak(ask)

    def close(self) -> None:
        """Ends the connection."""
        with self._lock:
            self._drop()

    def speak(self, call: Callable[[Connection], _T]) -> _T:
        """What `call` gives for the connection, which is made first where there is none. Raises BusUnavailable."""
        if not self._lock.acquire(timeout=self._answer_seconds):
            raise BusUnavailable("the broker is slow: others wait for it already")
        try:
            if time.monotonic() < self._silent_until:
                raise BusUnavailable("the broker was silent a moment ago")
            until = time.monotonic() + self._answer_seconds
            if self._connection is not None:
                # A connection that had been idle may have ended long ago, which is no fault of the broker's.
                with contextlib.suppress(_Failed):
                    return self._try(call)
                if time.monotonic() >= until:
                    raise BusUnavailable("the broker did not answer in time")
            return self._try(call)
        except _Failed as failed:
            raise BusUnavailable(f"the broker did not answer: {type(failed.__cause__).__name__}") from failed
        finally:
            self._lock.release()

    def _try(self, call: Callable[[Connection], _T]) -> _T:
        connection = self._connection = self._connection or self._new()
        faults = (OSError, KombuError, *connection.connection_errors, *connection.channel_errors)
        started = time.monotonic()
        try:
            if not connection.connected:
                self._connect(connection)
            return call(connection)
        except faults as error:
            self._drop()
            if time.monotonic() - started >= self._answer_seconds:
                # Whoever has waited for this one need not wait for the next: all would wait in a row.
                self._silent_until = time.monotonic() + self._answer_seconds
            raise _Failed from error

    def _new(self) -> Connection:
        seconds = self._answer_seconds
        # RabbitMQ says that it has a message only when asked to; the rest is for another Redis.
        options = {"confirm_publish": True, "socket_timeout": seconds, "socket_connect_timeout": seconds}
        return self._app.connection_for_write(connect_timeout=seconds, transport_options=options)

    def _connect(self, connection: Connection) -> None:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_max=0, timeout=self._answer_seconds)
        bound_open_broker_sockets(connection, self._answer_seconds)

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            # Without a farewell: a silent broker would not reply to it.
            connection.collect(socket_timeout=self._answer_seconds)


class _Failed(Exception):
    """The broker did not do what it was asked; the cause says why."""


@functools.cache
def _of_process(_pid: int) -> Broker:
    return Broker(spanfeed_app)


def broker() -> Broker:
    """This process's connection."""
    return _of_process(os.getpid())

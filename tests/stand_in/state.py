"""What all requests to the stand-in share: the script, the releases, the record of requests and open streams."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.stand_in.script import Script

RELEASE_DEADLINE_SECONDS = 120.0
LOOK_SECONDS = 0.02


class Gone(Exception):
    """The client, or the stand-in itself, is no longer there."""


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as it came; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class State:
    """Safe to use from every thread of the server."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._script = Script()
        self._failures_left = 0
        self._releases = 0
        self._requests: list[Request] = []
        self._open = 0
        self._closing = False

    def play(self, script: Script) -> None:
        """Behaves by `script` from the next request on; unused releases are forgotten."""
        with self._changed:
            self._script = script
            self._failures_left = script.fail_first
            self._releases = 0
            self._changed.notify_all()

    def enter(self, request: Request) -> tuple[Script, bool]:
        """Records a request; gives the script for it, and whether it shall fail. `leave` must follow."""
        with self._changed:
            self._requests.append(request)
            self._open += 1
            fails = self._failures_left > 0
            self._failures_left -= fails
            self._changed.notify_all()
            return self._script, fails

    def leave(self) -> None:
        """The request has been answered, or its client has gone."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def release(self, count: int) -> None:
        """Lets `count` more words pass."""
        with self._changed:
            self._releases += count
            self._changed.notify_all()

    def take_release(self, client_gone: Callable[[], bool]) -> None:
        """Waits for a release and uses it up. Raises Gone, also when none came for two minutes."""
        self._hold(client_gone, lambda: self._releases > 0)
        with self._changed:
            self._releases -= 1

    def hold(self, client_gone: Callable[[], bool]) -> None:
        """Does nothing until the client goes, then raises Gone."""
        self._hold(client_gone, lambda: False)

    def _hold(self, client_gone: Callable[[], bool], enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + RELEASE_DEADLINE_SECONDS
        with self._changed:
            while not enough():
                if self._closing or client_gone() or time.monotonic() > deadline:
                    raise Gone
                self._changed.wait(LOOK_SECONDS)

    def close(self) -> None:
        """Ends everything that is being held."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def requests(self) -> list[Request]:
        """The requests so far, oldest first."""
        with self._changed:
            return list(self._requests)

    def forget(self) -> None:
        """Empties the record of requests."""
        with self._changed:
            self._requests.clear()

    def wait_for_requests(self, count: int, timeout_seconds: float) -> bool:
        """Waits until `count` requests have come; False when they did not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._requests) >= count, timeout_seconds)

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Waits until no request is being answered; False when one still is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, timeout_seconds)

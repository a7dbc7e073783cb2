"""The process that a relay starts as its own successor."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from typing import NoReturn

logger = logging.getLogger(__name__)
KEPT = "--kept"
"""Says to a relay that its parent is its keeper, and starts its successors."""


def command() -> list[str]:
    """How this process was started, to start another one from what lies on the disk now."""
    return [sys.executable, *sys.orig_argv[1:]]


class Heir:
    """Of one relay; used by its loop alone. `kept`: its keeper starts successors."""

    def __init__(self, kept: bool) -> None:
        self._kept = kept
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts a successor, in place of one that has not come."""
        if self._kept:
            os.kill(os.getppid(), signal.SIGHUP)
            return
        self.end()
        try:
            self._process = subprocess.Popen([*command(), KEPT])
        except OSError as error:
            logger.error("the next relay cannot be started: %s", error.strerror)

    def end(self) -> None:
        """Ends a successor that has not taken everything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def keep(self, successor: int) -> None:
        """Has this process keep watch over the successor that has taken everything, if it is the one started here.

        Whoever has started this process knows its id, not the successor's. Then this does not return.
        """
        if self._process is not None and self._process.pid == successor:
            _become_keeper(successor)
        self.end()


def _become_keeper(process_id: int) -> NoReturn:
    # What comes from now on waits until the keeper listens.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD))
    words = [sys.executable, "-m", "web.relay.keeper", str(process_id), *command(), KEPT]
    os.execv(sys.executable, words)  # noqa: S606 - a list: no shell reads it  # nosec

"""What a relay becomes when its successor has everything: it passes signals on, and ends when the successor does.

So whoever has started the relay still has its process. A relay turns into this by `exec`, which gives its memory back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

_HEARD = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


class Keeper:
    """Keeps relays, of which the newest one has taken over from the others, or will; `command` starts another."""

    def __init__(self, process_id: int, command: list[str]) -> None:
        self._command = command
        self._relays = [process_id]

    def keep(self) -> int:
        """Waits until no relay is left; the last one's status."""
        status = 0
        while self._relays:
            number = signal.sigwait(_HEARD)
            status = self._bury(status)
            if number == signal.SIGHUP and self._relays:
                self._start()
            elif number != signal.SIGCHLD:
                for process_id in self._relays:
                    os.kill(process_id, number)
        return status

    def _start(self) -> None:
        try:
            self._relays.append(subprocess.Popen(self._command).pid)
        except OSError as error:
            sys.stderr.write(f"the next relay cannot be started: {error.strerror}\n")

    def _bury(self, status: int) -> int:
        for process_id in list(self._relays):
            ended, how = os.waitpid(process_id, os.WNOHANG)
            if ended:
                self._relays.remove(process_id)
                status = os.waitstatus_to_exitcode(how)
        return status


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    code = Keeper(int(sys.argv[1]), sys.argv[2:]).keep()
    sys.exit(code if code >= 0 else 128 - code)

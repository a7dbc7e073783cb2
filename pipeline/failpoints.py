"""Places at which a test of faults can kill a process, hold it or make it fail: named in the code, armed by a setting.

`SPANFEED_FAILPOINTS` is a list of `name=action@file`, separated by commas. `kill`: the first process that comes by
while the file is missing makes it and kills itself (SIGKILL). `hold`: whoever comes by waits until the file is
there, at most 60 s. `fail`: whoever comes by fails while the file is missing. `name=on` has no file: it takes away a
protection for the whole life of the process, so that a test can show that it would be missed. Unarmed, a failpoint
costs one look into an empty dictionary.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from pipeline.errors import SpanfeedError

_HOLD_LIMIT_SECONDS = 60.0
_POLL_SECONDS = 0.01
_UNARMED = ("", Path())


class Failpoints:
    """The armed failpoints of one process."""

    def __init__(self, armed: str) -> None:
        self._armed: dict[str, tuple[str, Path]] = {}
        for line in filter(None, (part.strip() for part in armed.split(","))):
            name, _, action = line.partition("=")
            verb, _, file = action.partition("@")
            self._armed[name] = (verb, Path(file))

    def armed(self, name: str) -> bool:
        """Whether the protection `name` is switched off."""
        return self._armed.get(name, _UNARMED)[0] == "on"

    def reach(self, name: str, failing: type[SpanfeedError] = SpanfeedError) -> None:
        """Says that this process is at `name` now. Raises `failing` where the failpoint says `fail`."""
        action = self._armed.get(name)
        if action is None:
            return
        verb, file = action
        if verb == "kill":
            try:
                file.touch(exist_ok=False)
            except FileExistsError:
                return
            except NotADirectoryError:
                # A file that can never be made: every process that comes by is killed.
                pass
            os.kill(os.getpid(), signal.SIGKILL)
        if verb == "fail" and not file.exists():
            raise failing(f"the failpoint {name} is armed")
        deadline = time.monotonic() + _HOLD_LIMIT_SECONDS
        while verb == "hold" and not file.exists() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

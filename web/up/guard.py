"""A small process that outlives a killed supervisor just long enough to end its children.

Run by path with `python -I -S`, so it may import nothing but the standard library. It reads lines of
process ids from its standard input, each line replacing the one before; when the input ends, the
supervisor is gone and so must be the last line's processes, with all of their groups.
"""

from __future__ import annotations

import os
import signal
import sys
import time

GRACE_SECONDS = 2.0


def _signal_group(leader: int, number: int) -> bool:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _read_until_end() -> list[int]:
    leaders: list[int] = []
    for line in sys.stdin.buffer:
        # A last line without its end was cut off while it was written; the one before is complete.
        if line.endswith(b"\n"):
            leaders = [int(word) for word in line.split()]
    return leaders


def _end(leaders: list[int]) -> None:
    for leader in leaders:
        try:
            os.kill(leader, signal.SIGTERM)
        except (ProcessLookupError, PermissionError):
            continue
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_signal_group(leader, 0) for leader in leaders):
        time.sleep(0.05)
    for leader in leaders:
        _signal_group(leader, signal.SIGKILL)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    _end(_read_until_end())

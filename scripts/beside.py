"""Runs commands beside one another; what each has said is shown in one piece, when it has ended.

    beside.py COMMAND… -- COMMAND… -- …

The exit status is 0 when all of them succeeded, otherwise 1, with the names of those that failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

_DEADLINE_SECONDS = 1_800.0
_TURN = threading.Lock()
"""Held while one command's words are written."""


def main() -> int:
    """Run what the command line says; its exit status, 130 after Ctrl-C."""
    commands = _separated(sys.argv[1:])
    # As many at a time as there are processors: the first ones begin, and the others wait for their turn.
    places = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))
    failed: list[str] = []
    threads = [threading.Thread(target=_run, args=(one, places, failed), daemon=True) for one in commands]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join(_DEADLINE_SECONDS)
    except KeyboardInterrupt:
        return 130
    failed += [f"what did not end within {_DEADLINE_SECONDS:g} s" for thread in threads if thread.is_alive()]
    if failed:
        sys.stderr.write(f"Failed: {', '.join(failed)}\n")
    return 1 if failed else 0


def _separated(words: list[str]) -> list[list[str]]:
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "--":
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def _run(command: list[str], places: threading.BoundedSemaphore, failed: list[str]) -> None:
    name = " ".join([Path(command[0]).name, *command[1:]])
    with places:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
            status, said = done.returncode, done.stdout
        except OSError as error:
            status, said = 127, f"{error}\n".encode()
    with _TURN:
        sys.stdout.buffer.write(said)
        sys.stdout.buffer.flush()
    if status:
        failed.append(name)


if __name__ == "__main__":
    sys.exit(main())

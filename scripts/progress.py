"""Runs a long command with its output in a log and one line of progress on the terminal.

    progress.py [--count REGEX --total N] LABEL LOG -- COMMAND…

The exit status is the command's; when that is not 0 the end of the log is shown.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

WIDTH = 30
TAIL_LINES = 25
REFRESH_SECONDS = 0.2
DEADLINE_SECONDS = 3_600.0
LOG_LIMIT_BYTES = 5_000_000


def main() -> int:
    """Run what the command line says; its exit status, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=re.compile, help="a line that matches is one step")
    parser.add_argument("--total", type=int, default=0, help="how many steps there are")
    parser.add_argument("label")
    parser.add_argument("log", type=Path)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    try:
        status = run(options.label, options.log, options.command, options.count, options.total)
    except KeyboardInterrupt:
        say("\n")
        return 130
    except FileNotFoundError:
        sys.stderr.write(f"\n{options.command[0]} was not found\n")
        return 127
    if status:
        sys.stderr.write(f"{options.label} failed with status {status}. The end of {options.log}:\n")
        for line in options.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]:
            sys.stderr.write(f"    {line}\n")
    return status


def run(label: str, log: Path, command: list[str], count: re.Pattern[str] | None, total: int) -> int:
    """Run `command`, appending to `log`; its exit status, or 124 when it does not end in time."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    began = time.monotonic()
    interactive = sys.stdout.isatty()
    if not interactive:
        say(f"{label} … ")
    too_long = log.exists() and log.stat().st_size > LOG_LIMIT_BYTES
    with log.open("wb" if too_long else "ab") as output:
        start = output.tell()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                if time.monotonic() - began > DEADLINE_SECONDS:
                    process.kill()
                    return 124
                if interactive:
                    show(label, steps(log, start, count), total, began)
                wait(process)
        except KeyboardInterrupt:
            # The terminal has told the command too; it only needs the time to end.
            wait(process, 5.0)
            process.kill()
            raise
    if interactive:
        show(label, total, total, began)
        say("\n")
    else:
        outcome = "done" if process.returncode == 0 else "failed"
        say(f"{outcome} in {time.monotonic() - began:.0f} s\n")
    return process.returncode


def say(text: str) -> None:
    """Write `text` at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def wait(process: subprocess.Popen[bytes], seconds: float = REFRESH_SECONDS) -> None:
    """Wait for the end of `process`, at most `seconds`."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def steps(log: Path, start: int, count: re.Pattern[str] | None) -> int:
    """How many lines of `log` from byte `start` on match `count`."""
    if count is None:
        return 0
    with log.open("rb") as written:
        written.seek(start)
        text = written.read().decode("utf-8", "replace")
    return sum(1 for line in text.splitlines() if count.match(line))


def show(label: str, done: int, total: int, began: float) -> None:
    """Redraw the line of progress."""
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    bar = ""
    if total:
        full = min(done, total) * WIDTH // total
        bar = f"[{'#' * full}{'-' * (WIDTH - full)}] {min(done, total)}/{total}  "
    say(f"\r\x1b[K{label}  {bar}{minutes}:{seconds:02}")


if __name__ == "__main__":
    sys.exit(main())

"""Runs the stand-in as a process of its own: `python -m tests.stand_in --port N`, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import signal
import threading

from tests.stand_in.handle import StandIn


def main() -> None:
    """Prints the base URL once it listens, then serves until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m tests.stand_in")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0: a free one")
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: told.set())
    with StandIn(parser.parse_args().port) as stand_in:
        print(stand_in.base_url, flush=True)
        told.wait()


if __name__ == "__main__":
    main()

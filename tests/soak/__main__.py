"""The command: `python -m tests.soak --joins 100000 --seed N --redis-restarts 20`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.options import Options
from tests.soak.run import run


def _options() -> argparse.Namespace:
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--joins", type=int, default=default.joins, help="how often clients come")
    parser.add_argument("--seed", type=int, default=default.seed, help="decides who does what, and what dies when")
    parser.add_argument("--clients", type=int, default=default.clients)
    parser.add_argument("--redis-restarts", type=int, default=default.redis_restarts)
    parser.add_argument("--relay-restarts", type=int, default=default.relay_restarts)
    parser.add_argument("--web-restarts", type=int, default=default.web_restarts)
    parser.add_argument("--events-per-second", type=float, default=default.events_per_second)
    parser.add_argument("--folder", type=Path, help="where logs stay; default: a new one under /tmp")
    return parser.parse_args()


def main() -> int:
    """Runs once; 0 when nobody missed anything."""
    asked = vars(_options())
    folder = asked.pop("folder") or Path(tempfile.mkdtemp(prefix="sf-soak-"))
    options = Options(**asked)
    print(f"seed {options.seed}, {options.joins} joins, {options.clients} clients; logs in {folder}", flush=True)
    verdict = run(options, folder, lambda line: print(line, flush=True))
    print("\n".join(verdict.lines()))
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())

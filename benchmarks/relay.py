"""Open feeds beside a naive app, Flask-SocketIO, nchan and raw redis-py; the sides take turns, scenario by scenario.

`python -m benchmarks.relay [SCENARIO …] [--quick] [--rounds 5] [--only SIDE …] [--resume FILE] [--json]`

Every server is one process for HTTP: gunicorn with threads (gevent for Flask-SocketIO), or one nginx worker; ours is
gunicorn and one relay. All share one Redis with an append-only file. Every client gets 700 bytes an event. CPU and
memory are those of the server's processes without Redis. Ours are sent by `Bus.append`, which also numbers and stores
them; *announced* means that only the PUBLISH is sent which the append script makes, as at 20,000 events a second and
two cores storing them would be what is measured. *20 at once* means that the emitter sends 20 events before it waits
for an answer: in one pipeline (Spanfeed, the naive app), in one go of HTTP requests (nchan), by 20 emits (Socket.IO).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import relay_scenarios
from benchmarks.load_clients import compiled
from benchmarks.own_python import say
from benchmarks.pairs import Comparison, Goal
from benchmarks.relay_peers import SIDES, sides_that_can_be_had
from benchmarks.relay_scenarios import Bench, Scenario
from benchmarks.relay_sides import raise_files_limit
from benchmarks.relay_sustained import sustained
from benchmarks.report import show

SCENARIOS: Mapping[str, Scenario] = {
    "topic": relay_scenarios.topic,
    "sessions": relay_scenarios.sessions,
    "latency": relay_scenarios.latency,
    "idle": relay_scenarios.idle,
    "handshakes": relay_scenarios.handshakes,
    "sustained": sustained,
    "plain": relay_scenarios.plain_requests,
    "flask": relay_scenarios.busy_flask,
}
_QUICK = {"rounds": 2, "clients": 200, "many_clients": 1_000, "seconds": 1.0}


def read(file: Path | None) -> dict[str, list[Comparison]]:
    """What an earlier run has found, by scenario."""
    if file is None or not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return {line["scenario"]: [_comparison(one) for one in line["found"]] for line in lines}


def _comparison(fields: dict[str, Any]) -> Comparison:
    goal = fields.pop("goal")
    return Comparison(**fields, goal=Goal(**goal) if goal else None)


def keep(file: Path | None, scenario: str, found: list[Comparison]) -> None:
    """Writes down what a scenario has found."""
    if file is not None:
        with file.open("a") as out:
            out.write(json.dumps({"scenario": scenario, "found": [dataclasses.asdict(one) for one in found]}) + "\n")


def arguments() -> argparse.Namespace:
    """What is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; without: all")
    parser.add_argument("--quick", action="store_true", help="few clients and rounds: whether it works, no figures")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", nargs="+", choices=list(SIDES), default=list(SIDES), help="peers to measure")
    parser.add_argument("--resume", type=Path, help="a file that keeps what was found; what is there is not run again")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    unknown = set(asked.scenarios) - SCENARIOS.keys()
    if unknown:
        parser.error(f"no scenario is called {', '.join(sorted(unknown))}")
    return asked


def main() -> None:
    """The command."""
    asked = arguments()
    raise_files_limit()
    for program in ("feeds", "requests"):
        compiled(program)
    kinds = sides_that_can_be_had({"ours", "oursannounced", *asked.only})
    options: dict[str, Any] = _QUICK if asked.quick else {}
    if asked.rounds:
        options = {**options, "rounds": asked.rounds}
    done = read(asked.resume)
    found: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="sf-relay-") as folder:
        bench = Bench(kinds, Path(folder), **options)
        for name in asked.scenarios or SCENARIOS:
            if name not in done:
                began = time.monotonic()
                say(f"{name} …")
                done[name] = SCENARIOS[name](bench)
                say(f"{name}: {time.monotonic() - began:.0f} s")
                keep(asked.resume, name, done[name])
            found += done[name]
    show(found, asked.json)


if __name__ == "__main__":
    main()

"""Drives one run from its first process to its judgement."""

from __future__ import annotations

import dataclasses
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults.checker import judge
from tests.faults.journal import Evidence, write_lines
from tests.faults.kinds import BY_NAME, KINDS
from tests.faults.options import Options
from tests.faults.plan import make_plan
from tests.faults.run import Run
from tests.faults.violation import Violation
from tests.faults.world import World

_AT_ONCE = 4
_PATIENCE_SECONDS = 30.0


@dataclasses.dataclass
class Verdict:
    """How a run went."""

    violations: list[Violation]
    faults: Counter[str]
    skipped: dict[str, str]
    messages: Counter[str]
    events: int
    restarts: int
    fault_seconds: float
    settle_seconds: float
    total_seconds: float

    def lines(self) -> list[str]:
        """As people read it."""
        ends = ", ".join(f"{count} {status}" for status, count in sorted(self.messages.items()))
        faults = f"{self.faults.total()} faults of {len(self.faults)} kinds in {self.fault_seconds:.0f} s"
        lines = [
            f"{faults}, settled {self.settle_seconds:.0f} s later; {self.total_seconds:.0f} s in all",
            f"{self.messages.total()} messages: {ends}; {self.events} events; {self.restarts} processes were restarted",
            *(f"skipped {name}: {why}" for name, why in self.skipped.items()),
        ]
        return [*lines, *(f"VIOLATION {violation}" for violation in self.violations)]


def drive(options: Options, folder: Path, say: Callable[[str], None]) -> Verdict:
    """One whole run; journals and logs stay in `folder`."""
    began = time.monotonic()
    world = World(options, folder)
    try:
        world.start()
        run = Run(world)
        run.start()
        say(f"everything runs after {time.monotonic() - began:.0f} s")
        return _faults(options, run, began, say)
    finally:
        world.close()


def _faults(options: Options, run: Run, began: float, say: Callable[[str], None]) -> Verdict:
    wanted = [kind for kind in KINDS if not options.only or kind.name in options.only]
    skipped = {kind.name: why for kind in wanted if (why := kind.missing(run))}
    plan = make_plan(options.seed, options.faults, [kind.name for kind in wanted if kind.name not in skipped])
    started = time.monotonic()
    for number, name in enumerate(plan):
        rng = random.Random(f"{options.seed}/{number}/{name}")
        patience = time.monotonic() + _PATIENCE_SECONDS
        while run.world.busy() >= _AT_ONCE and time.monotonic() < patience:
            time.sleep(0.05)
        what = BY_NAME[name].begin(run, rng)
        run.world.note(began, f"{name}: {what}")
        say(f"{time.monotonic() - began:6.1f} s  {number + 1:3} {name}: {what}")
        time.sleep(rng.uniform(*options.pause_seconds))
    run.world.heal()
    fault_seconds = time.monotonic() - started
    settle_seconds = run.finish()
    evidence = run.evidence()
    keep(run, evidence)
    violations = judge(evidence)
    violations += [Violation("harness", f"{c.log.name}: {error}") for c in run.clients for error in c.caught]
    violations += [Violation("harness", note) for note in run.world.notes if not note.startswith("{")]
    asked = Counter(row.status for row in evidence.messages if row.role == "user")
    total = time.monotonic() - began
    return Verdict(
        violations,
        Counter(plan),
        skipped,
        asked,
        len(evidence.stored),
        run.world.fleet.restarts,
        fault_seconds,
        settle_seconds,
        total,
    )


def keep(run: Run, evidence: Evidence) -> None:
    """Leaves the journals for people."""
    folder = run.world.folder
    write_lines(folder / "posts.jsonl", evidence.posts)
    write_lines(folder / "clients.jsonl", evidence.clients)
    write_lines(folder / "emitted.jsonl", [evidence.emitted[i] for i in sorted(evidence.emitted)])
    write_lines(folder / "stored.jsonl", evidence.stored)
    write_lines(folder / "messages.jsonl", evidence.messages)
    write_lines(folder / "flushes.jsonl", evidence.flushes)
    write_lines(folder / "poison.jsonl", [evidence.poison, evidence.dead_letters])
    (folder / "faults.txt").write_text("\n".join(run.world.notes) + "\n")

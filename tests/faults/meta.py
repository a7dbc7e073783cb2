"""The harness's own proof: without a protection it must report violations. `python -m tests.faults.meta`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.faults.drive import Verdict, drive
from tests.faults.options import BREAKS, Options

ONLY = {
    "aof-off": "kill-redis",
    "no-emitter-key": "network",
    "ack-before-commit": "stop-database",
    "trim-by-length": "stop-database",
}
"""The kind of fault that each protection is for."""
MISSED = {"aof-off": "I3 I4", "no-emitter-key": "I3", "ack-before-commit": "I3", "trim-by-length": "I3"}
"""The invariants that it keeps; a run that merely stumbles proves nothing."""
_SHOWN = 3


def run_without(protection: str, faults: int = 8) -> Verdict:
    """A short run without it."""
    options = Options(seed=1, faults=faults, only=(ONLY[protection],), breaks=protection, deadline_seconds=30.0)
    folder = Path(tempfile.mkdtemp(prefix=f"sf-faults-{protection}-")) / "run"
    return drive(options, folder, lambda _: None)


def main() -> int:
    """Runs without each; 0 when every one was missed."""
    found = True
    for protection in BREAKS:
        verdict = run_without(protection)
        broken = [one for one in verdict.violations if one.invariant in MISSED[protection].split()]
        found = found and bool(broken)
        word = "was missed, as it must be" if broken else "WAS NOT MISSED"
        print(f"{protection}: {word}; {len(broken)} violations in {verdict.total_seconds:.0f} s", flush=True)
        for violation in broken[:_SHOWN]:
            print(f"  {str(violation)[:160]}", flush=True)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())

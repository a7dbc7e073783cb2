"""The command: `python -m tests.faults --seed N --faults K --profile everysec|always`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.drive import drive
from tests.faults.kinds import BY_NAME
from tests.faults.options import BREAKS, Options


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="chooses the faults and their order")
    parser.add_argument("--faults", type=int, default=100, help="how many")
    parser.add_argument("--profile", choices=["everysec", "always"], default="everysec", help="Redis's appendfsync")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--only", default="", help=f"kinds, separated by commas, of: {', '.join(BY_NAME)}")
    parser.add_argument("--break", dest="breaks", choices=["", *BREAKS], default="", help="run without a protection")
    parser.add_argument("--empty-while-saving", action="store_true", help="Redis may be emptied at any moment")
    parser.add_argument("--folder", type=Path, help="where journals and logs stay; default: a new one under /tmp")
    return parser.parse_args()


def main() -> int:
    """Runs once; 0 when no invariant was broken."""
    asked = _options()
    only = tuple(filter(None, asked.only.split(",")))
    if unknown := set(only) - set(BY_NAME):
        sys.exit(f"no such kind of fault: {', '.join(sorted(unknown))}")
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="sf-faults-"))
    options = Options(
        asked.seed,
        asked.faults,
        asked.profile,
        asked.database,
        only,
        asked.breaks,
        empties_while_saving=asked.empty_while_saving,
    )
    print(f"seed {asked.seed}, {asked.faults} faults, {asked.profile}, {asked.database}; journals in {folder}")
    try:
        verdict = drive(options, folder / "run", lambda line: print(line, flush=True))
    except pytest.skip.Exception as missing:
        print(f"not run: {missing}")
        return 0
    print("\n".join(verdict.lines()))
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())

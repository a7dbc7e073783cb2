"""How comparisons are shown: a table, or one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmarks.pairs import Comparison

_HEAD = ("", "ours", "peer", "unit", "ratio", "95 %", "pairs", "goal", "met")


def show(comparisons: Sequence[Comparison], as_json: bool) -> None:
    """Prints the comparisons."""
    if as_json:
        for one in comparisons:
            print(json.dumps(_object(one)))
        return
    rows = [_HEAD, *(_row(one) for one in comparisons)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for peer in sorted({one.peer_name for one in comparisons}):
        print(f"peer: {peer}")


def _object(one: Comparison) -> dict[str, str | float]:
    return {
        "name": one.name,
        "ours": round(one.ours, 4),
        "peer": round(one.peer, 4),
        "peer_name": one.peer_name,
        "ratio": round(one.ratio, 4),
        "unit": one.unit,
    }


def _row(one: Comparison) -> tuple[str, ...]:
    goal, met = "", ""
    if one.goal is not None:
        goal, met = str(one.goal), "yes" if one.goal.holds(one.ours, one.ratio) else "NO"
    figures = (f"{one.ours:.4g}", f"{one.peer:.4g}", one.unit, f"{one.ratio:.3f}", f"{one.low:.3f} to {one.high:.3f}")
    return (one.name, *figures, str(one.pairs), goal, met)

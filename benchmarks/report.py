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
    peers = sorted({one.peer_name for one in comparisons})
    if len(peers) > 1:
        rows = [(*row, name) for row, name in zip(rows, ("against", *(c.peer_name for c in comparisons)), strict=True)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if len(peers) == 1:
        print(f"peer: {peers[0]}")
    for note in sorted({one.note for one in comparisons if one.note}):
        print(f"* {note}: {', '.join(sorted({one.name for one in comparisons if one.note == note}))}")


def _object(one: Comparison) -> dict[str, str | float]:
    return {
        "name": one.name,
        "ours": round(one.ours, 4),
        "peer": round(one.peer, 4),
        "peer_name": one.peer_name,
        "ratio": round(one.ratio, 4),
        "unit": one.unit,
        **({"note": one.note} if one.note else {}),
    }


def _row(one: Comparison) -> tuple[str, ...]:
    goal, met = "", ""
    if one.goal is not None:
        goal, met = str(one.goal), "yes" if one.goal.holds(one.ours, one.ratio) else "NO"
    figures = (f"{one.ours:.4g}", f"{one.peer:.4g}", one.unit, f"{one.ratio:.3f}", f"{one.low:.3f} to {one.high:.3f}")
    return (one.name + (" *" if one.note else ""), *figures, str(one.pairs), goal, met)

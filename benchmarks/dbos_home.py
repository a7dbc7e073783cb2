"""A Python of its own for DBOS."""

from __future__ import annotations

from pathlib import Path

from benchmarks.own_python import python_with, say

VERSION = "3.4.0"
__all__ = ["VERSION", "python_with_dbos", "say"]


def python_with_dbos() -> Path | None:
    """The Python that has DBOS; None, and one line that says why, where it cannot be had."""
    return python_with(f"dbos-{VERSION}", f"dbos=={VERSION}")

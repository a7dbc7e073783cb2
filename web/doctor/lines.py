"""What a check says: one line, with the mend where something is wrong."""

from __future__ import annotations

import dataclasses
import enum


class Level(enum.StrEnum):
    """How it stands."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclasses.dataclass(frozen=True)
class Line:
    """One finding; `mend` is a command or a setting, empty where all is well."""

    name: str
    level: Level
    found: str
    mend: str = ""


def ok(name: str, found: str) -> Line:
    """All is well."""
    return Line(name, Level.OK, found)


def warning(name: str, found: str, mend: str) -> Line:
    """It works, but something should be done."""
    return Line(name, Level.WARNING, found, mend)


def fault(name: str, found: str, mend: str) -> Line:
    """Something does not work, or data can be lost."""
    return Line(name, Level.FAULT, found, mend)


def seconds_text(seconds: float) -> str:
    """A duration as people say it: `4 s`, `12 min`, `3 h`, `2 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def bytes_text(size: float) -> str:
    """A size as people say it: `12 MiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"

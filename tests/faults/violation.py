"""A broken invariant, with what shows it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Violation:
    """`invariant` is I1 to I9; `what` says what was expected and what was found, with the ids to look for."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"

"""A document without markup: its text, and where its headings are."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading: `level` 1..6, and the characters `start` to `end` of the plain text that hold it."""

    level: int
    text: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class PlainText:
    """A document without markup. `title` and `url` are the document's own words for itself, or empty."""

    text: str
    title: str = ""
    url: str = ""
    headings: tuple[Heading, ...] = ()


class Writer:
    """Gathers blocks of plain text, a blank line between them, and remembers where the headings are."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._headings: list[Heading] = []
        self._length = 0
        self._previous = ""

    def write(self, block: str, kind: str = "paragraph") -> None:
        """Appends a block; two `item`s or two `row`s in turn are kept on adjacent lines."""
        block = block.strip("\n")
        if not block.strip():
            return
        if self._parts:
            self._append("\n" if kind == self._previous and kind in {"item", "row"} else "\n\n")
        self._append(block)
        self._previous = kind

    def part(self) -> None:
        """What comes next is set apart by a blank line, even from its like."""
        self._previous = ""

    def heading(self, level: int, text: str) -> None:
        """Appends a heading as a line of its own."""
        text = " ".join(text.split())
        if text:
            self.write(text, "heading")
            self._headings.append(Heading(level, text, self._length - len(text), self._length))

    def finish(self, title: str = "", url: str = "") -> PlainText:
        """All that was written. Without `title` it is the first heading's text if that is the document's highest."""
        if not title and self._headings and self._headings[0].level == min(h.level for h in self._headings):
            title = self._headings[0].text
        return PlainText("".join(self._parts), title.strip(), url.strip(), tuple(self._headings))

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

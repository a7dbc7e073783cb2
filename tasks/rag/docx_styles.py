"""What the styles of a Word file make of a paragraph: a heading of some level, or its title."""

from __future__ import annotations

import dataclasses
import re

from tasks.rag.docx_archive import Archive

TITLE_LEVEL = 0
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_BASES_LIMIT = 20
_LEVELS = 6


@dataclasses.dataclass
class _Style:
    name: str = ""
    based_on: str = ""
    outline_level: int | None = None


class Styles:
    """Which style id stands for what. Word keeps the names of its own styles in English, whatever it shows."""

    def __init__(self, archive: Archive) -> None:
        self._styles: dict[str, _Style] = {}
        self._current = _Style()
        if archive.has("word/styles.xml"):
            archive.read("word/styles.xml", self._start, lambda _: None, lambda _: None)

    def level(self, style_id: str) -> int | None:
        """1..6 for a heading, TITLE_LEVEL for a title, None for anything else."""
        for _ in range(_BASES_LIMIT):
            style = self._styles.get(style_id)
            if style is None:
                return None
            heading = _HEADING.fullmatch(style.name)
            if heading:
                return min(int(heading[1]), _LEVELS)
            if style.name.lower() == "title":
                return TITLE_LEVEL
            if style.outline_level is not None:
                return outline_level(str(style.outline_level))
            style_id = style.based_on
        return None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        value = attributes.get("val", "")
        if tag == "style":
            self._current = self._styles.setdefault(attributes.get("styleId", ""), _Style())
        elif tag == "name":
            self._current.name = value
        elif tag == "basedOn":
            self._current.based_on = value
        elif tag == "outlineLvl" and value.isascii() and value.isdigit():
            self._current.outline_level = int(value[:3])


def outline_level(value: str) -> int | None:
    """The heading level of an outline level, which counts from 0; 9 is ordinary text."""
    return min(int(value[:3]) + 1, _LEVELS) if value.isascii() and value.isdigit() and int(value[:3]) < 9 else None

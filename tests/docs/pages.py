"""Reading the project's Markdown files: sections, tables, blocks of code, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def files() -> list[Path]:
    """Every Markdown file that the project's documentation consists of."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def page(name: str) -> str:
    """The text of a page below docs/."""
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str, level: int) -> dict[str, str]:
    """Heading → what stands under it, for the headings of one level."""
    parts = re.split(rf"^{'#' * level} (?=[^#])", _FENCE.sub("", text), flags=re.MULTILINE)[1:]
    found = {}
    for part in parts:
        heading, _, body = part.partition("\n")
        found[heading.strip()] = re.split(rf"^#{{1,{level}}} ", body, flags=re.MULTILINE)[0]
    return found


def rows(text: str) -> list[tuple[str, ...]]:
    """The rows of all tables in `text`, without heads; backquotes around a whole cell are dropped."""
    found: list[tuple[str, ...]] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        is_head = number + 1 < len(lines) and lines[number + 1].startswith("|-")
        if line.startswith("|") and not line.startswith("|-") and not is_head:
            found.append(tuple(_bare(cell.strip()) for cell in line.strip().strip("|").split("|")))
    return found


def _bare(cell: str) -> str:
    return cell[1:-1] if re.fullmatch(r"`[^`]*`", cell) else cell


def names(cell: str) -> tuple[str, ...]:
    """The names in a cell, between backquotes or bare."""
    return tuple(re.findall(r"`([^`]+)`", cell)) or (cell,)


def code(text: str) -> Iterator[tuple[str, str]]:
    """The blocks of code: what stands behind the fence, and the code."""
    for block in _FENCE.finditer(text):
        yield block[1].strip(), block[2]


def links(text: str) -> list[str]:
    """The targets of the links and images, but for those in code."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text)))


def anchors(text: str) -> set[str]:
    """What `#…` may name in a page."""
    found = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}

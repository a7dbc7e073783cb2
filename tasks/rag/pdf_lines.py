"""The lines of a PDF's pages: how large they are written, how far below the line before, which come on every page."""

from __future__ import annotations

import dataclasses
import itertools
import re
import statistics
from collections import Counter
from collections.abc import Sequence

# A heading is written so much larger than most of the text.
_HEADING_SHARE = 1.12
_HEADING_LIMIT_CHARACTERS = 150
_HEADING_LEVELS = 4
# A paragraph begins where the gap is so much larger than the page's usual one.
_GAP_SHARE = 1.35
# Lines at the edge of a page that come again on so many pages are its running title and number.
_EDGE_LINES = 2
_REPEATED_PAGES, _REPEATED_SHARE = 3, 0.5
_LETTER = re.compile(r"[^\W\d_]")
_DIGITS = re.compile(r"\d+")


@dataclasses.dataclass
class Line:
    """A line of a page; `size` is that of most of its letters, `height` how high it stands, in points."""

    text: str
    size: float
    height: float


def without_repeated(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """The pages without the lines at their edges that come again on half of them."""
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({_key(page[number]) for number in _edges(page)})
    least = max(_REPEATED_PAGES, len(pages) * _REPEATED_SHARE)
    kept = [
        [line for number, line in enumerate(page) if number not in _edges(page) or seen[_key(line)] < least]
        for page in pages
    ]
    # Pages that are all alike would lose their text.
    return kept if any(kept) else [list(page) for page in pages]


def heading_levels(pages: Sequence[Sequence[Line]]) -> dict[float, int]:
    """Size → level of heading, for the sizes that are larger than that of most of the text."""
    written: Counter[float] = Counter()
    for page in pages:
        for line in page:
            written[line.size] += len(line.text)
    if not written:
        return {}
    usual = written.most_common(1)[0][0]
    larger = sorted((size for size in written if size >= usual * _HEADING_SHARE), reverse=True)
    return {size: min(level, _HEADING_LEVELS) for level, size in enumerate(larger, start=1)}


def is_heading(line: Line, levels: dict[float, int]) -> bool:
    """Whether the line is written as a heading is."""
    fits = len(line.text) <= _HEADING_LIMIT_CHARACTERS and _LETTER.search(line.text) is not None
    return line.size in levels and fits


def paragraphs(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines parted where the gap or the size changes."""
    gaps = [above.height - below.height for above, below in itertools.pairwise(lines)]
    usual = statistics.median_low([gap for gap in gaps if gap > 0] or [0.0])
    parted: list[list[Line]] = []
    for number, line in enumerate(lines):
        gap = gaps[number - 1] if number else 0.0
        if not parted or line.size != lines[number - 1].size or gap > usual * _GAP_SHARE or gap < 0:
            parted.append([])
        parted[-1].append(line)
    return parted


def _edges(page: Sequence[Line]) -> set[int]:
    return {*range(min(_EDGE_LINES, len(page))), *range(max(len(page) - _EDGE_LINES, 0), len(page))}


def _key(line: Line) -> str:
    return _DIGITS.sub("0", line.text)

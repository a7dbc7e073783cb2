"""Finding the sentences of a plain text, as spans: list items, table rows and code count as sentences too."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BLOCK = re.compile(r"\S(?:.|\n(?!\s*\n))*")
_MARKER = re.compile(r"[ \t]*(?:[-*+|\u2022]|\d{1,3}[.)])[ \t]+")
_NEW_LINE_STARTS = re.compile(r"\n(?=[ \t]*(?:[-*+\u2022]|\d{1,3}[.)])[ \t])|\n(?=[^\n]* \| )")
_END = re.compile(r"[.!?\u2026]+[\"'\u201d\u2019\u00bb)\]]*(?=\s)|[\u3002\uff01\uff1f]+")
_LAST_WORD = re.compile(r"[\w.]+\Z")
_SHORTENED = "e.g i.e eg ie vs dr mr mrs ms prof st no nos fig cf approx dept u.s u.k p pp art mme m"
_ABBREVIATIONS = frozenset(_SHORTENED.split())
# An introduction takes the list or the code that it announces with it, up to so many characters.
_ANNOUNCED_LIMIT_CHARACTERS = 600


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence in `text`, in order, without list markers and surrounding space.

    A sentence that ends in a colon also takes what it announces, whose own sentences follow; so spans may overlap.
    """
    spans: list[tuple[int, int]] = []
    blocks = list(_blocks(text))
    for number, (start, end) in enumerate(blocks):
        marker = _MARKER.match(text, start, end)
        inner = list(_split(text, marker.end() if marker else start, end))
        if inner and text[inner[-1][0] : inner[-1][1]].endswith(":"):
            inner[-1] = (inner[-1][0], _announced(text, blocks, number))
        spans += inner
    return spans


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    for block in _BLOCK.finditer(text):
        start, end = block.span()
        for line in _NEW_LINE_STARTS.finditer(text, start, end):
            yield start, line.start()
            start = line.end()
        yield start, end


def _split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    position = start + len(text[start:end]) - len(text[start:end].lstrip())
    for mark in _END.finditer(text, start, end):
        if _ends_sentence(text, position, mark):
            yield position, mark.end()
            position = mark.end() + len(text[mark.end() : end]) - len(text[mark.end() : end].lstrip())
    stop = position + len(text[position:end].rstrip())
    if stop > position:
        yield position, stop


def _ends_sentence(text: str, start: int, mark: re.Match[str]) -> bool:
    following = text[mark.end() : mark.end() + 20].lstrip()[:1]
    if following.islower():
        return False
    if not mark[0].startswith(".") or mark[0].startswith(".."):
        return True
    word = _LAST_WORD.search(text, start, mark.start())
    last = word[0].lower().strip(".") if word else ""
    return last not in _ABBREVIATIONS and not (len(last) == 1 and last.isalpha() and last not in "ai")


def _announced(text: str, blocks: list[tuple[int, int]], number: int) -> int:
    """The end of what block `number` announces: a block of code, or the list items below it."""
    start, end = blocks[number]
    own = _depth(text, start) if _MARKER.match(text, start) else -1
    for following, (begin, stop) in enumerate(blocks[number + 1 :]):
        item = _MARKER.match(text, begin) is not None
        if stop - start > _ANNOUNCED_LIMIT_CHARACTERS or (item and _depth(text, begin) <= own):
            break
        if not item and (following > 0 or own >= 0):
            break
        end = stop
        if not item:
            break
    return start + len(text[start:end].rstrip())


def _depth(text: str, start: int) -> int:
    """How many spaces stand before the block."""
    line = text.rfind("\n", 0, start) + 1
    return len(text[line:]) - len(text[line:].lstrip())

"""Finds the numbers an answer cites, and the passages behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.llm.model import Source
from tasks.rag.retriever import Passage

SNIPPET_LIMIT_CHARACTERS = 300

# [1], [1, 2], [1-3], and the brackets 【1】 that some models prefer.
CITATION = re.compile(r"[\[【]\s*(\d{1,3}(?:\s*[,;\u2013-]\s*\d{1,3})*)\s*[\]】]")
_RANGE = re.compile(r"(\d+)(?:\s*[\u2013-]\s*(\d+))?")


def cited_numbers(text: str) -> list[int]:
    """The numbers that `text` cites, each once, ascending."""
    numbers: set[int] = set()
    for citation in CITATION.finditer(text):
        numbers.update(numbers_in(citation.group(1)))
    return sorted(numbers)


def numbers_in(inside: str) -> list[int]:
    """The numbers between the brackets of one citation, ascending."""
    numbers: set[int] = set()
    for first, last in _RANGE.findall(inside):
        numbers.update(range(int(first), int(last or first) + 1))
    return sorted(numbers)


def cited_sources(text: str, passages: Sequence[Passage]) -> tuple[Source, ...]:
    """The passages that `text` cites by their number, from 1; a number that no passage has is nobody's source."""
    return tuple(source(number, passages[number - 1]) for number in cited_numbers(text) if 1 <= number <= len(passages))


def without_citations(text: str) -> str:
    """`text` without its citations: in a later question the same numbers are other passages."""
    return re.sub(rf"\s*{CITATION.pattern}", "", text)


def source(number: int, passage: Passage) -> Source:
    """`passage` as the source with that number; the snippet is its first 300 characters, verbatim."""
    return Source(
        number=number,
        title=passage.title,
        url=passage.url,
        snippet=passage.text[:SNIPPET_LIMIT_CHARACTERS],
        path=passage.path,
        collection=passage.collection,
        start=passage.start,
        end=passage.end,
    )

"""The sources an answer names."""

from __future__ import annotations

import pytest

from tasks.llm.citations import cited_numbers, cited_sources, without_citations
from tasks.llm.model import Source
from tests.llm.samples import PASSAGES, passage


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Nothing.", []),
        ("Red lever [1].", [1]),
        ("Lever[3], lamp [1][2].", [1, 2, 3]),
        ("Both [1, 3] and [ 2 ; 3 ].", [1, 2, 3]),
        ("All [1-3]. Or [2\u20133].", [1, 2, 3]),
        ("Brackets 【2】.", [2]),
        ("In [2024] and [a] and [ ] and 1].", []),
    ],
)
def test_cited_numbers(text: str, numbers: list[int]) -> None:
    """A user would not find the source of a statement, or be shown one that was not used."""
    assert cited_numbers(text) == numbers


def test_only_cited_passages_are_sources() -> None:
    """A user would be sent to documents that the answer does not rest on."""
    first, third = cited_sources("Lever [3], off [1], invented [0] [9].", PASSAGES)
    assert first == Source(1, "Title 1", "https://example.org/1", PASSAGES[0].text, "docs/1.md", "docs", 100, 144)
    assert third.number == 3


def test_a_snippet_is_short_and_verbatim() -> None:
    """A user would get whole pages under the answer, or words that no document holds."""
    long = passage(1, "abcdefghij" * 50)
    (source,) = cited_sources("[1]", [long])
    assert source.snippet == long.text[:300]
    assert (source.start, source.end) == (long.start, long.end)


def test_old_citations_are_taken_out() -> None:
    """A user would get [2] of the last question as a source of this one."""
    assert without_citations("Pull it [1], then wait [2, 3]. [4]") == "Pull it, then wait."

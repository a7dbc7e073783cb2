"""Mistyped words of a question."""

from __future__ import annotations

import pytest

from pipeline.store.documents import DocumentIndex
from tasks.rag.spelling import neighbours
from tests.rag.conftest import Ask


@pytest.mark.parametrize("mistyped", ["accures", "acrues", "accruess"])
def test_a_mistyped_question_is_answered(filled: DocumentIndex, ask: Ask, mistyped: str) -> None:
    """Without this a user would be refused for a slip of the finger."""
    answer = ask(f"How annual leave {mistyped}?")
    assert "four hours per pay period" in answer.text
    assert answer.confidence == ask("How annual leave accrues?").confidence


@pytest.mark.parametrize("word", ["xaccrue", "hxrs", "accr\u00fce", "x" * 21, "a1b2c3d4"])
def test_what_is_no_slip_is_left_alone(word: str) -> None:
    """Without this a name that the documents do not hold would be taken for a word that they do."""
    assert "accrue" not in neighbours(word)


def test_a_question_about_something_else_is_still_refused(filled: DocumentIndex, ask: Ask) -> None:
    """Without this the correction would make an answer out of anything."""
    assert ask("Who repairs the submarine periscope?").refused

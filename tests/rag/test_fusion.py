"""Merging what several collections gave."""

from __future__ import annotations

import pytest

from tasks.rag.fusion import fuse
from tasks.rag.retriever import Found, Passage


def passages(collection: str, count: int, score: float) -> tuple[Passage, ...]:
    """Passages whose raw scores fall from `score`."""
    return tuple(
        Passage(f"{collection}{n}", collection, "t", "h", "p", "", "x", 0, 1, score - n) for n in range(1, count + 1)
    )


def ids(found: Found) -> list[str]:
    """The chunk ids in order."""
    return [passage.chunk_id for passage in found.passages]


def test_raw_scores_do_not_matter() -> None:
    """A user would see only the collection whose index happens to count in larger numbers."""
    fused = fuse([Found(passages("a", 3, 9_000.0), 0.8), Found(passages("b", 3, 0.1), 0.8)], 4)
    assert ids(fused) == ["a1", "b1", "a2", "b2"]
    assert [round(p.score, 4) for p in fused.passages] == [0.0727, 0.0727, 0.0667, 0.0667]
    assert fused.confidence == 0.8


def test_a_collection_that_hardly_matches_comes_last() -> None:
    """A user's answer would be half about something else."""
    fused = fuse([Found(passages("a", 3, 1.0), 0.1), Found(passages("b", 3, 1.0), 0.9)], 5)
    assert ids(fused) == ["b1", "b2", "b3", "a1", "a2"]
    assert fused.confidence == 0.9


def test_what_two_searches_agree_on_comes_first() -> None:
    """A user would not see first what two ways of searching both found."""
    first, second, third = passages("a", 3, 1.0)
    assert ids(fuse([Found((first, second), 1.0), Found((third, second), 1.0)], 3, [2.0, 1.5])) == ["a2", "a1", "a3"]


def test_nothing_found_anywhere() -> None:
    """A user would get an error instead of a refusal when all collections are empty."""
    assert fuse([], 5) == Found((), 0.0)
    assert fuse([Found((), 0.0), Found((), 0.0)], 5) == Found((), 0.0)
    with pytest.raises(ValueError, match="shorter"):
        fuse([Found((), 0.0), Found((), 0.0)], 5, [1.0])

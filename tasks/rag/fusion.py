"""Merging what several collections gave, by rank, never by their scores, which cannot be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tasks.rag.retriever import Found, Passage

# Reciprocal rank fusion's constant: small, so that a collection's first passages weigh more than its many.
RANK_CONSTANT = 10


def fuse(found: Sequence[Found], limit: int, weights: Sequence[float] | None = None) -> Found:
    """At most `limit` passages of all, best first, each with its fused score; the confidence is the highest of all.

    Without `weights` each collection weighs what its own confidence says, so that one that merely shares a word with
    the question does not fill half the answer. Raises ValueError unless there is a weight for each.
    """
    if weights is None:
        weights = [max(part.confidence, 0.05) for part in found]
    scores: dict[tuple[str, str], float] = {}
    passages: dict[tuple[str, str], Passage] = {}
    for part, weight in zip(found, weights, strict=True):
        for rank, passage in enumerate(part.passages, start=1):
            key = (passage.collection, passage.chunk_id)
            passages.setdefault(key, passage)
            scores[key] = scores.get(key, 0.0) + weight / (RANK_CONSTANT + rank)
    best = sorted(scores, key=lambda key: -scores[key])[:limit]
    return Found(
        tuple(dataclasses.replace(passages[key], score=scores[key]) for key in best),
        max((part.confidence for part in found), default=0.0),
    )

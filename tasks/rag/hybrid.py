"""Retriever that asks words and embeddings, and merges what they give by rank."""

from __future__ import annotations

import dataclasses
import logging

from pipeline.errors import EmbeddingsFailed, RetrievalFailed, StoreUnavailable
from pipeline.store.document_index import Index
from pipeline.store.vectors import Vectors
from tasks.rag.embeddings import Embedder
from tasks.rag.fts import FtsRetriever, passage_of
from tasks.rag.fusion import fuse
from tasks.rag.retriever import Collection, Found

logger = logging.getLogger(__name__)
# Words against embeddings: see docs/explanation/retrieval.md.
_WEIGHTS = (2.0, 1.0)
_DEPTH_PASSAGES = 20
# Enough for a model to get the passages, too little to quote them: that they are alike says not that they answer.
_ALIKE_CONFIDENCE = 0.3


class HybridRetriever:
    """Searches by words, and by embeddings as far as they can be had. Safe to use from several threads.

    A passage whose cosine is at least `similarity_floor` is worth showing to a model though it has other words.
    """

    def __init__(self, index: Index, vectors: Vectors, embedder: Embedder, similarity_floor: float) -> None:
        self._words = FtsRetriever(index)
        self._index = index
        self._vectors = vectors
        self._embedder = embedder
        self._similarity_floor = similarity_floor

    def collections(self) -> list[Collection]:
        """The collections that can be searched, by name. Raises RetrievalFailed."""
        return self._words.collections()

    def search(self, collection: str, query: str, limit: int) -> Found:
        """At most `limit` passages of `collection` for `query`. Raises RetrievalFailed."""
        depth = max(limit, _DEPTH_PASSAGES)
        by_words = self._words.search(collection, query, depth)
        try:
            vector = self._embedder.of_question(" ".join(query.split()))
            nearest = self._vectors.nearest(collection, vector, depth)
        except (EmbeddingsFailed, StoreUnavailable) as error:
            logger.warning("collection %s is searched by words alone: %s", collection, error)
            return dataclasses.replace(by_words, passages=by_words.passages[:limit], words_alone=True)
        return fuse([by_words, self._found(nearest)], limit, _WEIGHTS)

    def _found(self, nearest: list[tuple[str, float]]) -> Found:
        """The chunks as passages; those that were removed since are left out."""
        try:
            kept = {hit.chunk_id: hit for hit in self._index.chunks([chunk_id for chunk_id, _ in nearest])}
        except StoreUnavailable as error:
            raise RetrievalFailed(str(error)) from error
        there = [(kept[chunk_id], likeness) for chunk_id, likeness in nearest if chunk_id in kept]
        alike = bool(there) and there[0][1] >= self._similarity_floor
        passages = tuple(passage_of(dataclasses.replace(hit, score=likeness)) for hit, likeness in there)
        return Found(passages, _ALIKE_CONFIDENCE if alike else 0.0)

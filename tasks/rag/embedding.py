"""Computing the embeddings that chunks lack, batch by batch, from where an earlier pass has stopped."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipeline.store.document_index import Index
from pipeline.store.documents import Numbered
from pipeline.store.vectors import Vector, Vectors

if TYPE_CHECKING:
    from tasks.rag.embeddings import Embedder

_PAGE_CHUNKS = 500
_DIGEST_CHARACTERS = 32


@dataclasses.dataclass
class Pass:
    """How far a pass over all chunks is: behind the chunk with the number `after`; `done` when that was the last."""

    after: int = 0
    looked_at: int = 0
    embedded: int = 0
    removed: int = 0
    done: bool = False


class Embedding:
    """Brings the vectors up to what the index holds. `model` and the text decide whether an embedding is old."""

    def __init__(self, index: Index, vectors: Vectors, embedder: Embedder, model: str, batch_chunks: int) -> None:
        self._index = index
        self._vectors = vectors
        self._embedder = embedder
        self._model = model
        self._batch_chunks = batch_chunks

    def run(self, state: Pass, seconds: float, on_batch: Callable[[Pass], None] = lambda _: None) -> Pass:
        """Goes on with a pass, for about `seconds` and at least one batch, and calls `on_batch` after each.

        At the end the embeddings of chunks that are gone are forgotten.
        Raises EmbeddingsFailed, StoreUnavailable; what was done before is kept.
        """
        until = time.monotonic() + seconds
        while page := self._index.page(state.after, _PAGE_CHUNKS):
            lacking = self._lacking(page)
            for at in range(0, len(lacking), self._batch_chunks):
                batch = lacking[at : at + self._batch_chunks]
                self._embed(batch)
                state.embedded += len(batch)
                on_batch(state)
                if time.monotonic() > until and at + self._batch_chunks < len(lacking):
                    state.after = batch[-1].number
                    return state
            state.after, state.looked_at = page[-1].number, state.looked_at + len(page)
            if time.monotonic() > until:
                return state
        state.removed += self._vectors.sweep(lambda ids: {hit.chunk_id for hit in self._index.chunks(ids)})
        state.done = True
        return state

    def _lacking(self, page: Sequence[Numbered]) -> list[Numbered]:
        known: dict[str, str] = {}
        for collection in dict.fromkeys(chunk.collection for chunk in page):
            ids = [chunk.chunk_id for chunk in page if chunk.collection == collection]
            known |= self._vectors.known(collection, ids)
        return [chunk for chunk in page if known.get(chunk.chunk_id) != self._digest(chunk)]

    def _embed(self, batch: Sequence[Numbered]) -> None:
        values = self._embedder.of_chunks([_text(chunk) for chunk in batch])
        self._vectors.put(
            [
                Vector(chunk.chunk_id, chunk.collection, self._digest(chunk), vector)
                for chunk, vector in zip(batch, values, strict=True)
            ]
        )

    def _digest(self, chunk: Numbered) -> str:
        whole = f"{self._model}\0{_text(chunk)}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(whole).hexdigest()[:_DIGEST_CHARACTERS]


def _text(chunk: Numbered) -> str:
    """What is embedded: a passage alone often does not say what it is about."""
    return "\n".join(part for part in (chunk.title, chunk.heading, chunk.text) if part)

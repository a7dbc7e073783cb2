"""The protocol that a document index fulfils, with the passages it gives."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True)
class Passage:
    """A piece of a document, verbatim: `text` is characters `start` to `end` of the document's plain text."""

    chunk_id: str
    collection: str
    title: str
    heading: str
    path: str
    url: str
    text: str
    start: int
    end: int
    score: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The passage as JSON can hold it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Passage:
        """The passage that `to_dict` wrote."""
        return cls(**data)


@dataclasses.dataclass(frozen=True)
class Collection:
    """A named set of documents, with how many documents and chunks it holds."""

    name: str
    documents: int
    chunks: int


@dataclasses.dataclass(frozen=True)
class Found:
    """What one collection gave: passages, best first, and the confidence that they answer the query.

    `confidence` is 0..1: the share of the query's idf mass that the best passages hold. `words_alone`: embeddings were
    wanted, too, and could not be had.
    """

    passages: tuple[Passage, ...]
    confidence: float
    words_alone: bool = False


class Retriever(Protocol):
    """A searchable set of collections. Implementations are safe to use from several threads."""

    def collections(self) -> list[Collection]:
        """The collections that can be searched, by name. Raises RetrievalFailed."""

    def search(self, collection: str, query: str, limit: int) -> Found:
        """At most `limit` passages of `collection` for `query`. Raises RetrievalFailed."""

"""Retriever over the document index: the words of the question joined by OR, ranked by BM25."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import RetrievalFailed, StoreUnavailable
from pipeline.store.document_index import Index
from pipeline.store.documents import WORDS_LIMIT, DocumentIndex, Hit
from pipeline.store.stems import Stemmer
from tasks.rag.fusion import fuse
from tasks.rag.meaning import subject_of, tells
from tasks.rag.retriever import Collection, Found, Passage
from tasks.rag.terms import content_words, words

# In an index of three chunks a word in two of them would look common. A thousand imagined chunks that hold no word of
# the question even that out; in a large index they change nothing (tried with 0 to 5,000 beside 2,393 real ones).
_IMAGINED_CHUNKS = 1_000
# What a word counts that is not in the passage but in another one found of the same document. Of 42 questions on 233
# pages it keeps 93 % (without: 90 %), of 20 on terse notes 80 % (75 %), and refuses 58 of 60 absent ones (59).
_ELSEWHERE_SHARE = 0.5
_CONFIDENCE_PASSAGES = 5
# "What is X?" has one content word, which every passage about X repeats: look further, for one that says what X is.
_MEANING_PASSAGES = 40
_MEANING_BONUS = 2.0


class FtsRetriever:
    """Finds passages in a document index, or in the one at `path`. Safe for several threads and after a fork.

    The last line of a query is what was asked, lines before it are what that may refer to: both the whole and the
    last line alone are searched, and merged by rank, each weighing what its confidence says.
    """

    def __init__(self, path: Path | str | Index, timeout_seconds: float = 10.0) -> None:
        self._path = path
        self._timeout_seconds = timeout_seconds
        self._index: Index | None = None if isinstance(path, Path | str) else path
        self._stemmer = Stemmer()

    def collections(self) -> list[Collection]:
        """The collections that can be searched, by name. Raises RetrievalFailed."""
        try:
            return [Collection(c.collection, c.documents, c.chunks) for c in self.index.collections()]
        except StoreUnavailable as error:
            raise RetrievalFailed(str(error)) from error

    def search(self, collection: str, query: str, limit: int) -> Found:
        """At most `limit` passages of `collection` for `query`; none in an unknown one. Raises RetrievalFailed."""
        try:
            return self._search(collection, query, limit)
        except StoreUnavailable as error:
            raise RetrievalFailed(str(error)) from error

    def _search(self, collection: str, query: str, limit: int) -> Found:
        before, _, asked = query.strip().rpartition("\n")
        whole = self._ask(collection, query, limit, subject_of(asked))
        if not before or not content_words(asked):
            return whole
        alone = self._ask(collection, asked, limit, subject_of(asked))
        # Squared, so that after a change of subject what belongs to the old one falls behind.
        return fuse([whole, alone], limit, [whole.confidence**2, alone.confidence**2])

    def _ask(self, collection: str, question: str, limit: int, subject: Sequence[str]) -> Found:
        index = self.index
        spelled = self._spelled(content_words(question) or words(question))
        total, counts = index.statistics(list(spelled))
        weights = {stem: _idf(total + _IMAGINED_CHUNKS, count) for stem, count in counts.items()}
        known = sorted((stem for stem in spelled if counts[stem]), key=lambda stem: -weights[stem])
        affordable = _affordable(known, counts, index.candidates_limit)
        wanted = [spelled[stem] for stem in affordable[:WORDS_LIMIT]]
        hits = index.search(collection, wanted, max(limit, _MEANING_PASSAGES if subject else _CONFIDENCE_PASSAGES))
        if subject:
            hits.sort(key=lambda hit: -hit.score * (_MEANING_BONUS if tells(hit.text, subject) else 1.0))
        confidence = self._confidence(weights, hits[:_CONFIDENCE_PASSAGES])
        return Found(tuple(passage_of(hit) for hit in hits[:limit]), confidence)

    def _confidence(self, weights: Mapping[str, float], hits: Sequence[Hit]) -> float:
        """The largest share of the question's idf mass that a passage holds, its document's others counting half."""
        stems = self._stemmer.stems([f"{hit.title}\n{hit.heading}\n{hit.text}" for hit in hits])
        documents: dict[str, set[str]] = {}
        for hit, found in zip(hits, stems, strict=True):
            documents.setdefault(hit.path, set()).update(found)
        best = 0.0
        for hit, found in zip(hits, stems, strict=True):
            here = _mass(weights, set(found))
            best = max(best, here + _ELSEWHERE_SHARE * (_mass(weights, documents[hit.path]) - here))
        return best / sum(weights.values()) if best else 0.0

    def _spelled(self, found: Sequence[str]) -> dict[str, str]:
        """Stem → the first word that has it."""
        spelled: dict[str, str] = {}
        for word, stems in zip(found, self._stemmer.stems(found), strict=True):
            for stem in stems:
                spelled.setdefault(stem, word)
        return spelled

    @property
    def index(self) -> Index:
        """The document index, opened at first use. Raises StoreUnavailable."""
        if self._index is None:
            assert isinstance(self._path, Path | str)
            self._index = DocumentIndex(self._path, self._timeout_seconds)
        return self._index


def _affordable(stems: Sequence[str], counts: Mapping[str, int], limit: int) -> list[str]:
    """The rarest stems, which come first, that together occur in at most `limit` chunks; at least one."""
    taken, chunks = list(stems[:1]), counts[stems[0]] if stems else 0
    for stem in stems[1:]:
        chunks += counts[stem]
        if chunks > limit:
            break
        taken.append(stem)
    return taken


def _idf(total: int, count: int) -> float:
    return math.log(1 + (total - max(count, 1) + 0.5) / (max(count, 1) + 0.5))


def _mass(weights: Mapping[str, float], held: set[str]) -> float:
    return sum(weight for stem, weight in weights.items() if stem in held)


def passage_of(hit: Hit) -> Passage:
    """The chunk that was found, as a passage."""
    return Passage(
        hit.chunk_id, hit.collection, hit.title, hit.heading, hit.path, hit.url, hit.text, hit.start, hit.end, hit.score
    )

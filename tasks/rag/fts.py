"""Retriever over the document index: words joined by OR, ranked by BM25 and by how near together they stand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from pipeline.errors import RetrievalFailed, StoreUnavailable
from pipeline.store.document_index import Index
from pipeline.store.documents import WORDS_LIMIT, DocumentIndex, Hit
from pipeline.store.stems import Stemmer
from tasks.rag.closeness import held_in_turn, held_together
from tasks.rag.fusion import fuse
from tasks.rag.languages import language_of_text
from tasks.rag.meaning import subject_of, tells
from tasks.rag.questions import Words
from tasks.rag.retriever import Collection, Found, Passage
from tasks.rag.spelling import neighbours
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
# BM25 does not know where words stand. Between 0.5 and 10 little depends on these bonuses (`benchmarks.retrieval`
# prints what any corpus makes of them).
_RERANKED_PASSAGES = 24
# More unknown words are another language or no words at all.
_CORRECTED_WORDS = 3
_TOGETHER_BONUS = 1.5
_IN_TURN_BONUS = 1.0

_Places = list[tuple[int, str]]


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
        asked = Words(self._stemmer, content_words(question) or words(question))
        total, counts = index.statistics(asked.all_forms())
        counts |= self._corrected(index, asked, counts)
        weights = {
            stem: _idf(total + _IMAGINED_CHUNKS, sum(counts[form] for form in forms))
            for stem, forms in asked.forms.items()
        }
        known = [
            form
            for stem in sorted(weights, key=lambda stem: -weights[stem])
            for form in asked.forms[stem]
            if counts[form]
        ]
        wanted = [asked.written[form] for form in _affordable(known, counts, index.candidates_limit)[:WORDS_LIMIT]]
        hits = index.search(collection, wanted, max(limit, _MEANING_PASSAGES if subject else _RERANKED_PASSAGES))
        held = self._held(asked, hits)
        worth = {
            hit.chunk_id: hit.score * _nearness(asked, weights, places, above) * _bonus(hit, subject)
            for hit, (places, above) in zip(hits, held, strict=True)
        }
        ranked = sorted(zip(hits, held, strict=True), key=lambda pair: -worth[pair[0].chunk_id])
        confidence = _confidence(weights, ranked[:_CONFIDENCE_PASSAGES])
        return Found(tuple(passage_of(hit, worth[hit.chunk_id]) for hit, _ in ranked[:limit]), confidence)

    def _corrected(self, index: Index, asked: Words, counts: Mapping[str, int]) -> dict[str, int]:
        """Takes a word that no document holds for the most common one that differs by a letter; stem → how common."""
        unknown = [stem for stem, forms in asked.forms.items() if not any(counts[form] for form in forms)]
        corrected = {}
        for stem in unknown[:_CORRECTED_WORDS]:
            near = neighbours(asked.spelled[stem])
            stems = self._stemmer.stems_of_words(near)
            _, common = index.statistics(list({stems[word] for word in near}))
            best = max(near, key=lambda word: common[stems[word]], default="")
            if best and common[stems[best]]:
                asked.counts_as(stem, best, stems[best])
                corrected[stems[best]] = common[stems[best]]
        return corrected

    def _held(self, asked: Words, hits: Sequence[Hit]) -> list[tuple[_Places, _Places]]:
        """For each hit where its text holds which words of the question, and where its title and headings do."""
        languages = [language_of_text(hit.text) for hit in hits]
        bodies = asked.places([hit.text for hit in hits], languages)
        overheads = asked.places([f"{hit.title}\n{hit.heading}" for hit in hits], languages)
        return list(zip(bodies, overheads, strict=True))

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


def _mass(weights: Mapping[str, float], held: AbstractSet[str]) -> float:
    return sum(weight for stem, weight in weights.items() if stem in held)


def _bonus(hit: Hit, subject: Sequence[str]) -> float:
    return _MEANING_BONUS if subject and tells(hit.text, subject) else 1.0


def _nearness(asked: Words, weights: Mapping[str, float], places: _Places, above: _Places) -> float:
    """1, or more when the passage holds the question's words close together, or it or its headings side by side."""
    full = sum(weights.values()) or 1.0
    together, in_turn = held_together(weights, places), held_in_turn(weights, list(asked.spelled), [*above, *places])
    return 1 + (_TOGETHER_BONUS * together + _IN_TURN_BONUS * in_turn) / full


def _confidence(weights: Mapping[str, float], ranked: Sequence[tuple[Hit, tuple[_Places, _Places]]]) -> float:
    """How much of the question's idf mass the best passage holds, words that stand far from the others counting half.

    It is the mean of what the passage holds, with its document, and of what its headings and 30 words of it hold.
    """
    documents: dict[str, set[str]] = {}
    for hit, (places, overhead) in ranked:
        documents.setdefault(hit.path, set()).update(stem for _, stem in [*overhead, *places])
    best = 0.0
    for hit, (places, overhead) in ranked:
        headed = {stem for _, stem in overhead}
        here = _mass(weights, headed | {stem for _, stem in places})
        with_document = here + _ELSEWHERE_SHARE * (_mass(weights, documents[hit.path]) - here)
        above = _mass(weights, headed)
        below = held_together({stem: 0.0 if stem in headed else weight for stem, weight in weights.items()}, places)
        best = max(best, (with_document + above + below) / 2)
    return best / sum(weights.values()) if best else 0.0


def passage_of(hit: Hit, score: float | None = None) -> Passage:
    """The chunk that was found, as a passage, with its own score or another."""
    score = hit.score if score is None else score
    return Passage(
        hit.chunk_id, hit.collection, hit.title, hit.heading, hit.path, hit.url, hit.text, hit.start, hit.end, score
    )

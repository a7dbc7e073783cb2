"""Choosing the sentences of the passages that answer a question best."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence

from pipeline.store.stems import Stemmer
from tasks.rag.meaning import states, subject_of
from tasks.rag.retriever import Passage
from tasks.rag.sentences import sentence_spans
from tasks.rag.terms import content_words, words

# What a word counts in the title or heading over a sentence, beside 1 in the sentence itself.
_OVERHEAD_SHARE = 0.5
# What a word counts that only the question before this one holds.
_EARLIER_SHARE = 0.5
_RANK_BONUS = 0.12
_QUESTION_SHARE = 0.6
_SHORT_WORDS, _SHORT_SHARE = 4, 0.6
# A few words without a full stop are a link or a label more often than a statement.
_LABEL_WORDS, _LABEL_SHARE = 12, 0.75
_LONG_CHARACTERS = 450
# A further sentence must be worth so much of the first; below it answers something else more often than not.
_WORTH_SHARE = 0.5
_POINTS_BACK = re.compile(r"(?:This|It|They|These|Those|That|He|She|Such|Both|Cela|Ceci|Elles?|Ils?|Hii|Hizi|Hiyo)\b")
# What a sentence counts that says what X is, to the question what X is.
_MEANING_SHARE = 1.5
_SPACE = re.compile(r"\s+")


@dataclasses.dataclass(frozen=True)
class Quote:
    """A sentence of a passage; `text` is characters `start` to `end` of the document's plain text."""

    passage: Passage
    text: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class _Candidate:
    quote: Quote
    rank: int
    body: frozenset[str]
    overhead: frozenset[str]
    length: int
    points_back: bool


def choose_quotes(
    stemmer: Stemmer, question: str, standalone: str, passages: Sequence[Passage], limit: int
) -> list[Quote]:
    """At most `limit` sentences, none twice and none within another; those of one passage together, in its order.

    `standalone` is the question with the one before it, whose words count half. Raises StoreUnavailable.
    """
    candidates = _candidates(stemmer, passages)
    asked = content_words(question) or content_words(standalone) or words(standalone)
    shares = _shares(stemmer, asked, content_words(standalone))
    weights = {stem: share * _rarity(stem, candidates) for stem, share in shares.items()}
    subject = subject_of(question)
    chosen: list[_Candidate] = []
    covered: set[str] = set()
    worth = 0.0
    while len(chosen) < limit:
        left = [c for c in candidates if not any(_overlap(c, other) for other in chosen)]
        best = max(left, key=lambda c: _score(c, weights, covered, subject), default=None)
        before = _before(chosen[-1], left) if chosen and chosen[-1].points_back else None
        if before is not None:
            best = before
        elif best is None or (chosen and _score(best, weights, set(), subject) < worth):
            break
        if not chosen:
            worth = _WORTH_SHARE * _score(best, weights, set(), subject)
        chosen.append(best)
        covered |= best.body
    order: dict[str, int] = {}
    for number, candidate in enumerate(chosen):
        order.setdefault(candidate.quote.passage.chunk_id, number)
    chosen.sort(key=lambda c: (order[c.quote.passage.chunk_id], c.quote.start))
    return [candidate.quote for candidate in chosen]


def _candidates(stemmer: Stemmer, passages: Sequence[Passage]) -> list[_Candidate]:
    quotes = [
        (rank, Quote(passage, passage.text[start:end], passage.start + start, passage.start + end))
        for rank, passage in enumerate(passages)
        for start, end in sentence_spans(passage.text)
    ]
    bodies = stemmer.stems([quote.text for _, quote in quotes])
    overheads = stemmer.stems([f"{passage.title}\n{passage.heading}" for passage in passages])
    return [
        _Candidate(
            quote, rank, frozenset(body), frozenset(overheads[rank]), len(body), bool(_POINTS_BACK.match(quote.text))
        )
        for (rank, quote), body in zip(quotes, bodies, strict=True)
        if body
    ]


def _shares(stemmer: Stemmer, asked: Sequence[str], standalone: Sequence[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for found, share in ((asked, 1.0), (standalone, _EARLIER_SHARE)):
        for stems in stemmer.stems(found):
            for stem in stems:
                shares.setdefault(stem, share)
    return shares


def _rarity(stem: str, candidates: Sequence[_Candidate]) -> float:
    count = sum(stem in candidate.body for candidate in candidates)
    return math.log(1 + (len(candidates) - count + 0.5) / (count + 0.5))


def _score(candidate: _Candidate, weights: dict[str, float], covered: set[str], subject: Sequence[str]) -> float:
    """How much of the question the sentence holds, less for what is already said."""
    score = 0.0
    for stem, weight in weights.items():
        if stem in candidate.body:
            score += weight * (0.5 if stem in covered else 1.0)
        elif stem in candidate.overhead:
            score += weight * _OVERHEAD_SHARE
    score *= 1 + _RANK_BONUS / (1 + candidate.rank)
    if states(candidate.quote.text, subject):
        score *= _MEANING_SHARE
    if candidate.quote.text.endswith("?"):
        score *= _QUESTION_SHARE
    elif not candidate.quote.text.endswith((".", "!", ":", "\u3002")) and candidate.length < _LABEL_WORDS:
        score *= _LABEL_SHARE
    if candidate.length < _SHORT_WORDS:
        score *= _SHORT_SHARE
    if len(candidate.quote.text) > _LONG_CHARACTERS:
        score *= _LONG_CHARACTERS / len(candidate.quote.text)
    return score


def _before(candidate: _Candidate, left: Sequence[_Candidate]) -> _Candidate | None:
    """The sentence that one beginning with "this" or "it" speaks of."""
    earlier = [c for c in left if c.rank == candidate.rank and c.quote.end <= candidate.quote.start]
    return max(earlier, key=lambda c: c.quote.start, default=None)


def _overlap(one: _Candidate, other: _Candidate) -> bool:
    a, b = one.quote, other.quote
    if (a.passage.collection, a.passage.path) == (b.passage.collection, b.passage.path):
        return a.start < b.end and b.start < a.end
    return _SPACE.sub(" ", a.text) == _SPACE.sub(" ", b.text)

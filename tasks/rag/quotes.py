"""Choosing the sentences of the passages that answer a question best."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence

from pipeline.store.stems import Stemmer
from tasks.rag.languages import language_of_text
from tasks.rag.meaning import states, subject_of
from tasks.rag.questions import Words
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
# What a sentence with a number counts, to a question for one.
_NUMBER_SHARE = 1.2
_NUMBER_ASKED = re.compile(
    r"^\W*(?:when|quand)\b"
    r"|\b(?:how (?:many|much|long|often|far|old|soon|large|big|high|late|early)|what (?:time|year|date|percentage)"
    r"|combien|quelle (?:date|ann[\u00e9e]e|heure)|ngapi|lini|mara ngapi|saa ngapi)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|half|once|twice|daily|weekly|monthly"
    r"|yearly|annually|deux|trois|quatre|cinq|sept|huit|neuf|dix|vingt|trente|mbili|tatu|nne|tano|sita|saba|nane|tisa"
    r"|kumi|ishirini|thelathini)\b",
    re.IGNORECASE,
)
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
    fit: float
    points_back: bool


def choose_quotes(
    stemmer: Stemmer, question: str, standalone: str, passages: Sequence[Passage], limit: int
) -> list[Quote]:
    """At most `limit` sentences, none twice and none within another; those of one passage together, in its order.

    `standalone` is the question with the one before it, whose words count half. Raises StoreUnavailable.
    """
    asked = content_words(question) or content_words(standalone) or words(standalone)
    sought = Words(stemmer, [*asked, *content_words(standalone)])
    candidates = _candidates(sought, question, passages)
    weights = _weights(sought, asked, candidates)
    chosen: list[_Candidate] = []
    covered: set[str] = set()
    worth = 0.0
    while len(chosen) < limit:
        left = [c for c in candidates if not any(_overlap(c, other) for other in chosen)]
        best = max(left, key=lambda c: _score(c, weights, covered), default=None)
        before = _before(chosen[-1], left) if chosen and chosen[-1].points_back else None
        if before is not None:
            best = before
        elif best is None or (chosen and _score(best, weights, set()) < worth):
            break
        if not chosen:
            worth = _WORTH_SHARE * _score(best, weights, set())
        chosen.append(best)
        covered |= best.body
    order: dict[str, int] = {}
    for number, candidate in enumerate(chosen):
        order.setdefault(candidate.quote.passage.chunk_id, number)
    chosen.sort(key=lambda c: (order[c.quote.passage.chunk_id], c.quote.start))
    return [candidate.quote for candidate in chosen]


def _candidates(sought: Words, question: str, passages: Sequence[Passage]) -> list[_Candidate]:
    quotes = [
        (rank, Quote(passage, passage.text[start:end], passage.start + start, passage.start + end))
        for rank, passage in enumerate(passages)
        for start, end in sentence_spans(passage.text)
    ]
    subject, number = subject_of(question), _NUMBER_ASKED.search(question) is not None
    languages = [language_of_text(passage.text) for passage in passages]
    bodies = sought.held([quote.text for _, quote in quotes], [languages[rank] for rank, _ in quotes])
    overheads = sought.held([f"{passage.title}\n{passage.heading}" for passage in passages], languages)
    return [
        _Candidate(
            quote,
            rank,
            body,
            overheads[rank],
            length,
            _fit(quote.text, length, subject, number),
            bool(_POINTS_BACK.match(quote.text)),
        )
        for (rank, quote), body in zip(quotes, bodies, strict=True)
        if (length := len(words(quote.text)))
    ]


def _weights(sought: Words, asked: Sequence[str], candidates: Sequence[_Candidate]) -> dict[str, float]:
    """Stem → what it counts: the rarer the more, and one of the earlier question never more than half of one asked."""
    rarity = {stem: _rarity(stem, candidates) for stem in sought.spelled}
    own = {stem for stem, word in sought.spelled.items() if word in set(asked)}
    most = max((rarity[stem] for stem in own), default=0.0)
    return {stem: rare if stem in own else _EARLIER_SHARE * min(rare, most) for stem, rare in rarity.items()}


def _rarity(stem: str, candidates: Sequence[_Candidate]) -> float:
    count = sum(stem in candidate.body for candidate in candidates)
    return math.log(1 + (len(candidates) - count + 0.5) / (count + 0.5))


def _score(candidate: _Candidate, weights: dict[str, float], covered: set[str]) -> float:
    """How much of the question the sentence holds, less for what is already said."""
    score = 0.0
    for stem, weight in weights.items():
        if stem in candidate.body:
            score += weight * (0.5 if stem in covered else 1.0)
        elif stem in candidate.overhead:
            score += weight * _OVERHEAD_SHARE
    return score * (1 + _RANK_BONUS / (1 + candidate.rank)) * candidate.fit


def _fit(text: str, length: int, subject: Sequence[str], number: bool) -> float:
    """What the sentence's kind counts: whether it states something, of the kind that is asked for, at a fair length."""
    fit = 1.0
    if states(text, subject):
        fit *= _MEANING_SHARE
    if number and _NUMBER.search(text):
        fit *= _NUMBER_SHARE
    if text.endswith("?"):
        fit *= _QUESTION_SHARE
    elif not text.endswith((".", "!", ":", "\u3002")) and length < _LABEL_WORDS:
        fit *= _LABEL_SHARE
    if length < _SHORT_WORDS:
        fit *= _SHORT_SHARE
    if len(text) > _LONG_CHARACTERS:
        fit *= _LONG_CHARACTERS / len(text)
    return fit


def _before(candidate: _Candidate, left: Sequence[_Candidate]) -> _Candidate | None:
    """The sentence that one beginning with "this" or "it" speaks of."""
    earlier = [c for c in left if c.rank == candidate.rank and c.quote.end <= candidate.quote.start]
    return max(earlier, key=lambda c: c.quote.start, default=None)


def _overlap(one: _Candidate, other: _Candidate) -> bool:
    a, b = one.quote, other.quote
    if (a.passage.collection, a.passage.path) == (b.passage.collection, b.passage.path):
        return a.start < b.end and b.start < a.end
    return _SPACE.sub(" ", a.text) == _SPACE.sub(" ", b.text)

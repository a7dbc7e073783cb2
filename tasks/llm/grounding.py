"""How far an answer rests on its passages: statements that cite, citations that fit, quotes that are word for word."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from pipeline.store.stems import Stemmer
from tasks.llm.citations import CITATION, cited_numbers, without_citations
from tasks.rag.retriever import Passage
from tasks.rag.sentences import sentence_spans
from tasks.rag.stopwords import STOP_WORDS
from tasks.rag.terms import content_words, folded, words

# A sentence of fewer content words ("Yes.", "Here is how:") states too little to be looked up.
_STATEMENT_WORDS = 3
# Of a statement's words, how many a passage must hold that supports it.
_SHARED = 0.5
_QUOTE_WORDS = 4
# A citation after the full stop belongs to the sentence before it.
_BEHIND = re.compile(rf"([.!?\u2026]+)((?:\s*{CITATION.pattern})+)")
_QUOTED = re.compile(r"\u201c([^\u201d]{12,1000})\u201d|\u00ab\s*([^\u00bb]{12,1000}?)\s*\u00bb|\"([^\"]{12,1000})\"")
_PLAIN = re.compile(r"[\W_]+")


@dataclasses.dataclass(frozen=True)
class Grounding:
    """What was checked.

    `statements` are sentences that say something; `cited` of them name a passage, `supported` name one that holds at
    least half of their words. Of `quotes` (four words or more) some are not word for word. Words are not `comparable`
    where the answer is in another language than its passages.
    """

    statements: int = 0
    cited: int = 0
    supported: int = 0
    quotes: int = 0
    quotes_unverified: int = 0
    comparable: bool = True

    @property
    def share(self) -> float:
        """The share of statements and quotes that were found in the passages, 0..1; 0 when nothing is stated.

        Where words cannot be compared, a statement that cites counts as found.
        """
        checked = self.statements + self.quotes
        found = (self.supported if self.comparable else self.cited) + self.quotes - self.quotes_unverified
        return found / checked if checked else 0.0


def grounding(text: str, passages: Sequence[Passage], asked: str, stemmer: Stemmer) -> Grounding:
    """Looks `text` up in its passages, which are numbered from 1; what `asked` says may be quoted too.

    Words are compared by their stems. Raises StoreUnavailable.
    """
    moved = _BEHIND.sub(r"\2\1", text)
    sentences = [moved[start:end] for start, end in sentence_spans(moved)]
    stated = [sentence for sentence in sentences if len(content_words(without_citations(sentence))) >= _STATEMENT_WORDS]
    held = [set(stems) for stems in stemmer.stems([f"{one.title}\n{one.heading}\n{one.text}" for one in passages])]
    wanted = [set(stems) for stems in stemmer.stems([" ".join(content_words(without_citations(s))) for s in stated])]
    cited = [[n for n in cited_numbers(sentence) if 1 <= n <= len(passages)] for sentence in stated]
    supported = sum(
        any(len(stems & held[number - 1]) >= _SHARED * len(stems) for number in numbers)
        for stems, numbers in zip(wanted, cited, strict=True)
    )
    quotes, unverified = _quotes(text, [*(passage.text for passage in passages), asked])
    ours, theirs = _languages(text), _languages("\n".join(passage.text for passage in passages))
    comparable = not ours or not theirs or bool(ours & theirs)
    return Grounding(len(stated), sum(map(bool, cited)), supported, quotes, unverified, comparable)


def _languages(text: str) -> set[str]:
    """The languages whose stop-words stand most often in `text`: one as a rule, none when it holds no such word."""
    found = [folded(word) for word in words(text)]
    hits = {language: sum(word in listed for word in found) for language, listed in STOP_WORDS.items()}
    most = max(hits.values())
    return {language for language, count in hits.items() if count == most > 0}


def _quotes(text: str, sources: Sequence[str]) -> tuple[int, int]:
    plain = [_plain(source) for source in sources]
    found = [_plain(without_citations(next(filter(None, quote.groups())))) for quote in _QUOTED.finditer(text)]
    found = [quote for quote in found if len(quote.split()) >= _QUOTE_WORDS]
    return len(found), sum(not any(quote in source for source in plain) for quote in found)


def _plain(text: str) -> str:
    """Words alone, with a space around each: neither line breaks nor kinds of quotation marks make a difference."""
    return f" {_PLAIN.sub(' ', folded(text).lower()).strip()} "

"""Which language a text or a question is in, by its small words: English, French, Kiswahili, or none of them."""

from __future__ import annotations

import functools
from collections import Counter

from tasks.rag.stopwords import STOP_WORDS
from tasks.rag.terms import folded, words

_LOOKED_AT_CHARACTERS = 20_000
# Of running text a quarter to a half are small words; of tables, code and other languages far fewer.
_LEAST_SHARE = 0.08
_LEAD = 1.5

# Words of one list only: "on" and "me" are English and French, "na" and "la" more.
_OWN = {
    name: listed - frozenset().union(*(other for also, other in STOP_WORDS.items() if also != name))
    for name, listed in STOP_WORDS.items()
}


@functools.lru_cache(4_096)
def language_of_text(text: str) -> str:
    """`en`, `fr`, `sw`, or nothing where the text is in none of them, or too short to tell."""
    found = [folded(word) for word in words(text[:_LOOKED_AT_CHARACTERS])]
    counts = _counts(found)
    (best, most), (_, second) = counts.most_common(2)
    return best if most >= max(1, len(found) * _LEAST_SHARE) and most > second * _LEAD else ""


def language_of_question(question: str, otherwise: str) -> str:
    """The language that a question is asked in; `otherwise` when its words do not tell."""
    (best, most), (_, second) = _counts([folded(word) for word in words(question)]).most_common(2)
    return best if most > second else otherwise


def _counts(found: list[str]) -> Counter[str]:
    return Counter({name: sum(word in own for word in found) for name, own in _OWN.items()})

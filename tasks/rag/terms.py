"""The words of a question that say what it is about."""

from __future__ import annotations

import re
import unicodedata

from tasks.rag.stopwords import STOP_WORDS

_ELIDED = re.compile(
    r"\b(?:l|d|qu|j|n|s|m|t|c|jusqu|lorsqu|puisqu)['\u2019](?=\w)|(?<=\w)['\u2019](?:s|t|re|ve|ll|d|m)\b", re.IGNORECASE
)
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of `text` in order, in lower case, without the French article's or the English verb's apostrophe."""
    # A lone surrogate cannot be written as UTF-8, which the index needs.
    text = text.encode("utf-8", "ignore").decode("utf-8")
    return _WORD.findall(_ELIDED.sub("", unicodedata.normalize("NFC", text)).lower())


def folded(word: str) -> str:
    """The word without accents, as the lists of stop-words hold it."""
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def content_words(text: str) -> list[str]:
    """The words that are no stop-words, each once, in order.

    Which list counts is decided by the text itself: the language with the most stop-words in it, or those that tie;
    "comment" is a question word in French and something to search for in English.
    """
    found = list(dict.fromkeys(words(text)))
    plain = {word: folded(word) for word in found}
    hits = {language: sum(w in listed for w in plain.values()) for language, listed in STOP_WORDS.items()}
    most = max(hits.values())
    stop: frozenset[str] = frozenset().union(*(STOP_WORDS[name] for name, count in hits.items() if count == most))
    return [word for word in found if plain[word] not in stop]

"""The stems of French and Kiswahili words, marked so that they meet nothing but each other in the index."""

from __future__ import annotations

import functools
import re
import threading
import unicodedata
from collections.abc import Iterable

import snowballstemmer

# A stem that ends in a digit is left alone by the index's own stemmer, and no word of a text looks like it.
_MARKS = {"fr": "1fr1", "sw": "1sw1"}
LANGUAGES_WITH_FORMS = frozenset(_MARKS)
_LEAST_CHARACTERS = 3
_KEPT_WORDS = 50_000

_SUBJECT = "ni|u|a|tu|m|wa|i|zi|li|ya|ki|vi|ha|si|hatu|hawa|ham|hau|hai"
_TENSE = "na|li|ta|me|ka|ki|nge|ngali|ja|si"
_OBJECT = "ni|ku|m|mw|wa|i|zi|li|ya|ki|vi|ji"
# a-na-ki-soma, he reads it: who, when, what, and the verb.
_VERB = re.compile(rf"(?:{_SUBJECT})(?:{_TENSE})(?:(?:{_OBJECT})(?=[a-z]{{4}}))?(?=[a-z]{{3}})")
# ku-soma, to read; hu-soma, reads often; m-toto, a child, wa-toto, children; ki-tabu, vi-tabu, a book, books.
_CLASS = re.compile(r"(?:kw|ku|hu|mw|wa|vy|ch|my|mi|ma|vi|ki|m)(?=[a-z]{3})")
# ofisi-ni, in the office; anaweza-je, how can he.
_ATTACHED = re.compile(r"(?<=[a-z]{4})(?:ni|je)$")
# Passive and final vowel: tum-wa, is sent; tum-a, sends.
_ENDING = re.compile(r"(?<=[a-z]{2})(?:liwa|lewa|iwa|ewa|wa|[aeiou])$")
# Prefixes that look like those of verbs, in nouns that are asked for often.
_WHOLE = frozenset({"mamlaka", "matibabu", "ukaguzi", "utaratibu", "malipo", "malikauli"})

_lock = threading.Lock()
_snowball = snowballstemmer.stemmer("french")


def forms(words: Iterable[str], language: str) -> list[str]:
    """The marked stems of lower-case words, without accents; none in a language that has no rules here."""
    if language not in LANGUAGES_WITH_FORMS:
        return []
    stem = _french if language == "fr" else _kiswahili
    return [stem(word) + _MARKS[language] for word in words if len(word) >= _LEAST_CHARACTERS and word.isalpha()]


@functools.lru_cache(_KEPT_WORDS)
def _french(word: str) -> str:
    # The stemmer keeps the word that it works on, so two threads would mix theirs up.
    with _lock:
        stem: str = _snowball.stemWord(word)
    return _folded(stem)


@functools.lru_cache(_KEPT_WORDS)
def _kiswahili(word: str) -> str:
    stem = _ATTACHED.sub("", _folded(word))
    if stem not in _WHOLE:
        verb = _VERB.match(stem) or _CLASS.match(stem)
        stem = stem[verb.end() :] if verb else stem
    return _ENDING.sub("", stem)


def _folded(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))

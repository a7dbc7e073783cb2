"""Recognising "what is X?", and the sentences that say what X is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.rag.terms import content_words

_ASKED_FIRST = re.compile(
    r"\W*(?:what(?:'s|\u2019s| is| are| does)|define|who (?:is|are)|qu'est-ce|c'est quoi)\b", re.IGNORECASE
)
_ASKED_LAST = re.compile(r"\b(?:mean|ni nini|ni nani)\W*$", re.IGNORECASE)
_SUBJECT_WORDS = 3
# "X is…", "X - …", "X: …", with the subject among the first words.
_STATED = re.compile(r"((?:[^\s,;]+\s+){1,6}?)(?:is|are|was|means|lets|stands for|refers to|est|sont|ni)\s")
_GLOSSED = re.compile(r"([^\s,;:|]+(?:\s+[^\s,;:|]+){0,3}?)(?:\s+[-\u2013\u2014|]|:)\s")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?])\s+|\n\s*(?:[-*+] )?)(?=\S)")


def subject_of(question: str) -> list[str]:
    """The content words of a question that asks what something is; of any other question none."""
    if not (_ASKED_FIRST.match(question) or _ASKED_LAST.search(question)):
        return []
    asked = content_words(question)
    return asked if len(asked) <= _SUBJECT_WORDS else []


def states(sentence: str, subject: Sequence[str], position: int = 0) -> bool:
    """Whether the sentence at `position` seems to say what the subject is."""
    if not subject:
        return False
    glossed = _GLOSSED.match(sentence, position)
    if glossed and content_words(glossed[1]) == list(subject):
        return True
    stated = _STATED.match(sentence, position)
    return stated is not None and all(word in stated[1].lower() for word in subject)


def tells(text: str, subject: Sequence[str]) -> bool:
    """Whether one of the text's sentences seems to say what the subject is."""
    return any(states(text, subject, start.end()) for start in _SENTENCE_START.finditer(text))

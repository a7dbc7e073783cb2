"""Words that differ from a mistyped one by one letter."""

from __future__ import annotations

import string

# Of a shorter word too many others differ by one letter only, and names would become words.
_LEAST_CHARACTERS = 6
_MOST_CHARACTERS = 20


def neighbours(word: str) -> list[str]:
    """The words with one letter more, less or different, or two letters swapped; the first letter stays.

    None for a word that is short, very long, or not written in plain letters.
    """
    if not (_LEAST_CHARACTERS <= len(word) <= _MOST_CHARACTERS and word.isascii() and word.isalpha()):
        return []
    found: dict[str, None] = {}
    for at in range(1, len(word) + 1):
        before, after = word[:at], word[at:]
        if after:
            found[before + after[1:]] = None
        if len(after) > 1:
            found[before + after[1] + after[0] + after[2:]] = None
        for letter in string.ascii_lowercase:
            found[before + letter + after] = None
            if after:
                found[before + letter + after[1:]] = None
    found.pop(word, None)
    return list(found)

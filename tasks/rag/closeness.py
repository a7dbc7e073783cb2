"""How near to each other the words of a question stand in a passage."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

# As many words as a long sentence has.
_WINDOW_WORDS = 30


def held_together(weights: Mapping[str, float], words_at: Sequence[tuple[int, str]]) -> float:
    """The largest sum of the weights of different words within 30 words of the passage.

    `words_at` tells where in the passage which word of the question stands, in order.
    """
    best = 0.0
    seen: dict[str, int] = {}
    total = 0.0
    first = 0
    for position, word in words_at:
        while position - words_at[first][0] > _WINDOW_WORDS:
            gone = words_at[first][1]
            seen[gone] -= 1
            total -= 0.0 if seen[gone] else weights[gone]
            first += 1
        seen[word] = seen.get(word, 0) + 1
        total += weights[word] if seen[word] == 1 else 0.0
        best = max(best, total)
    return best


def held_in_turn(weights: Mapping[str, float], asked: Sequence[str], words_at: Sequence[tuple[int, str]]) -> float:
    """The sum, over pairs of words that the question and the passage both hold side by side, of the lesser weight."""
    pairs = {(one, other) for (at, one), (after, other) in itertools.pairwise(words_at) if after == at + 1}
    return sum(min(weights[one], weights[other]) for one, other in itertools.pairwise(asked) if (one, other) in pairs)

"""Citations of passages that do not exist, and the word for "not in the documents", in answers that stream."""

from __future__ import annotations

import pytest

from tasks.llm.checking import NOT_FOUND, CitationFilter, RefusalWatch


def filtered(pieces: list[str], count: int = 3) -> tuple[str, int]:
    """What is shown of the pieces, and how many numbers were taken out."""
    looked = CitationFilter(count)
    return "".join([*map(looked.take, pieces), looked.finish()]), looked.removed


@pytest.mark.parametrize(
    ("text", "shown", "removed"),
    [
        ("Off by the lever [1].", "Off by the lever [1].", 0),
        ("Off [9] by [1, 7] the [2-5] lever.", "Off by [1] the [2, 3] lever.", 4),
        ("Lever [4].", "Lever.", 1),
        ("Lever[4][1] and 【8】more [7] [6] yet [5]  .", "Lever[1] and more yet.", 5),
        ("[0] Lever.", "Lever.", 1),
        ("Use `list[7]` and ```\na[9]\n``` but not [9].", "Use `list[7]` and ```\na[9]\n``` but not.", 1),
        ("In [2024], [a], [ ] and [1", "In [2024], [a], [ ] and [1", 0),
        ("A table [ 2 ; 6 ]", "A table [2]", 1),
        ("End [9] ", "End", 1),
    ],
)
def test_numbers_that_no_passage_has(text: str, shown: str, removed: int) -> None:
    """Without this a user would look for source 9 of three, and a program's list would lose its index."""
    assert filtered([text]) == (shown, removed)
    letters, counted = filtered(list(text))
    # Spaces that were shown before it was known what follows cannot be taken back.
    assert ("".join(letters.split()), counted) == ("".join(shown.split()), removed)
    assert "  " not in letters


def test_nothing_is_held_back_but_what_may_be_a_citation() -> None:
    """Without this a user would see each word only when the next one is written."""
    looked = CitationFilter(3)
    pieces = ["Pull ", "the ", "lever ", "[1", "], ", "then ", "[", "x] ", "end", " [9]", "."]
    assert [looked.take(piece) for piece in pieces] == [
        *("Pull ", "the ", "lever ", "", "[1], ", "then ", "", "[x] ", "end", "", "."),
    ]


@pytest.mark.parametrize("text", [NOT_FOUND, f"{NOT_FOUND}.", f" **{NOT_FOUND}** I looked.", NOT_FOUND.lower()])
@pytest.mark.parametrize("size", [1, 5, 99])
def test_not_in_the_documents(text: str, size: int) -> None:
    """Without this a user would read a code word, or what the model knows from elsewhere."""
    watch = RefusalWatch()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert "".join([*map(watch.take, pieces), watch.finish()]) == ""
    assert watch.refused


@pytest.mark.parametrize("text", ["", "N", "Not in the documents is what I say.", "NOT_IN_THE_HOUSE", "**Yes.**"])
def test_what_only_begins_so(text: str) -> None:
    """Without this a user would lose the beginning of an answer, or the whole."""
    watch = RefusalWatch()
    assert "".join([*map(watch.take, text), watch.finish()]) == text
    assert not watch.refused

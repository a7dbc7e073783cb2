"""How near to each other the words of a question stand, and what that does for the order of passages."""

from __future__ import annotations

from pipeline.store.documents import Chunk, Document, DocumentIndex
from tasks.rag.closeness import held_in_turn, held_together
from tasks.rag.fts import FtsRetriever

WEIGHTS = {"a": 1.0, "b": 2.0, "c": 4.0}


def test_what_is_held_within_thirty_words() -> None:
    """Without this a passage with the words scattered over it would count as much as one sentence with all of them."""
    assert held_together(WEIGHTS, []) == 0
    assert held_together(WEIGHTS, [(0, "a"), (5, "a"), (30, "b")]) == 3
    assert held_together(WEIGHTS, [(0, "c"), (20, "b"), (31, "a"), (40, "a")]) == 6
    assert held_together(WEIGHTS, [(0, "a"), (31, "b"), (62, "c")]) == 4


def test_what_stands_side_by_side() -> None:
    """Without this "sick leave" would be found where somebody is sick and somebody else on leave."""
    assert held_in_turn(WEIGHTS, ["a", "b", "c"], [(3, "a"), (4, "b"), (9, "c")]) == 1
    assert held_in_turn(WEIGHTS, ["a", "b", "c"], [(3, "b"), (4, "a"), (9, "c")]) == 0


def test_a_passage_that_says_it_in_one_sentence_comes_first(index: DocumentIndex) -> None:
    """Without this a user would be quoted a page that happens to use the question's words here and there."""
    filler = "The office is kept clean by everybody who works in it, on every day of the week and in every season. " * 3
    scattered = f"Bicycle, bicycle. {filler} Parking, parking. {filler} A permit, a permit, a permit."
    for path, text in (
        ("scattered", scattered),
        ("close", f"{filler} {filler} A bicycle parking permit is given by the doorman."),
    ):
        index.add(Document("docs", path, path, "", text), [Chunk(path, "", text, 0, len(text))])
    found = FtsRetriever(index).search("docs", "Who gives me a bicycle parking permit?", 2)
    assert [passage.path for passage in found.passages] == ["close", "scattered"]

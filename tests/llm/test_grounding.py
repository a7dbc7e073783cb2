"""How far an answer rests on its passages, and the confidence that comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.store.stems import Stemmer
from tasks.llm.checking import NOT_FOUND
from tasks.llm.grounding import Grounding, grounding
from tasks.llm.model import Answer
from tasks.llm.writing import Writing
from tests.llm.samples import PASSAGES, passage, question

STEMMER = Stemmer()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The lamp is switched off with the red lever [1].", Grounding(1, 1, 1)),
        ("You switch the lamp off by the red lever. [1] It burns nine hours. [2]", Grounding(2, 2, 2)),
        ("The lamp burns for nine hours [1].", Grounding(1, 1, 0)),
        ("The lamp burns for nine hours.", Grounding(1, 0, 0)),
        ("Penguins from Norway bought the company [3].", Grounding(1, 1, 0)),
        ("Yes. Here is how:", Grounding()),
        ("It says “the  LAMP burns for\nnine hours” [2].", Grounding(1, 1, 1, 1)),
        ('It says "the lamp burns for ten hours" [2].', Grounding(1, 1, 1, 1, 1)),
        ("« How do I turn it off » was asked.", Grounding(1, 0, 0, 1)),
        (
            "La lampe est éteinte avec le levier rouge et elle est là [1].",
            Grounding(1, 1, 0, comparable=False),
        ),
    ],
)
def test_what_is_found_in_the_passages(text: str, found: Grounding) -> None:
    """Without this a made-up statement would look as sure as one that stands in the documents."""
    assert grounding(text, PASSAGES, "How do I turn it off?", STEMMER) == found


@pytest.mark.parametrize(
    ("found", "share"),
    [
        (Grounding(), 0.0),
        (Grounding(4, 4, 4), 1.0),
        (Grounding(4, 3, 2, 1, 1), 0.4),
        (Grounding(2, 1, 0, comparable=False), 0.5),
    ],
)
def test_the_share(found: Grounding, share: float) -> None:
    """Without this the confidence would say nothing about the answer."""
    assert found.share == share


def written(*pieces: str, **changed: Any) -> tuple[str, Answer]:
    """What a user sees of the pieces, and the answer."""
    writing = Writing(question(**changed), STEMMER)
    shown = "".join([*map(writing.take, pieces), writing.finish()])
    return shown, writing.answer("test")


def test_an_answer_that_rests_on_its_passages() -> None:
    """Without this a user would get no sources, no further questions, or a confidence that means nothing."""
    near = passage(4, "The lamp was made in Kisumu.", path="docs/1.md", heading="The lamp's origin")
    shown, answer = written("The lamp is switched off ", "with the red lever [1]", " [7].", passages=(*PASSAGES, near))
    assert shown == answer.text == "The lamp is switched off with the red lever [1]."
    assert [source.number for source in answer.sources] == [1]
    assert answer.confidence == 0.9
    assert answer.checks is not None
    assert (answer.checks["citations_removed"], answer.checks["supported"]) == (1, 1)
    assert answer.follow_ups == ("What about The lamp's origin?",)
    assert written("It burns nine green hours [2]. Penguins bought the company [1].")[1].confidence == 0.45
    assert written("I think it burns nine hours.")[1].confidence == 0.0


def test_not_in_the_documents_is_a_refusal() -> None:
    """Without this a user would not be told plainly, in the own language, that the documents hold no answer."""
    shown, answer = written(NOT_FOUND, ". But I know", " it from elsewhere [1].", language="fr")
    assert shown == answer.text
    assert shown.startswith("Je n'ai pas trouvé de réponse à cette question dans les documents.")
    assert "Title 1" in shown
    assert (answer.refused, answer.sources, answer.checks) == (True, (), None)


def test_nothing_found_and_greetings() -> None:
    """Without this an answer without any passage would count as one from the documents."""
    assert written("The documents do not hold it [1].", passages=(), confidence=0.0)[1].refused
    assert written("Hello!", mode="greeting", confidence=0.0)[1].refused is False


def test_what_a_tool_stated_is_a_passage() -> None:
    """Without this a count that a tool made could not be cited, nor be sure."""
    stated = passage(0, "The collection docs holds 44 documents.", title="collection_stats", url="", path="")
    shown, answer = written("The collection docs holds 44 documents [1].", statements=(stated,), confidence=0.0)
    assert (shown, answer.confidence, answer.refused) == ("The collection docs holds 44 documents [1].", 1.0, False)
    assert [source.title for source in answer.sources] == ["collection_stats"]

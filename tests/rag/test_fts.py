"""Searching by words: what is found, and how sure it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import RetrievalFailed
from pipeline.store.documents import DocumentIndex
from tasks.rag.fts import FtsRetriever
from tasks.rag.ingest import add_path
from tasks.rag.retriever import Collection, Passage
from tests.rag.conftest import write_pages

THRESHOLD = 0.68


@pytest.mark.parametrize(
    ("question", "path", "words"),
    [
        ("How do I turn off slow mode?", "slow-mode.md", "Set the interval to zero"),
        ("How many hours of annual leave can be carried over?", "guide/leave.md", "240 hours"),
        ("Is there a maximum for sick leave?", "guide/leave.md", "There is no maximum"),
        ("What do I need for jury duty?", "guide/leave.md", "a copy of the summons"),
        ("When does the harbour office open on weekdays?", "notes.txt", "7:30"),
        ("Combien de jours de congés payés par an ?", "conges.html", "vingt-cinq jours"),
        ("Comment demander un conge au responsable ?", "conges.html", "responsable"),
        ("Mfanyakazi anapata siku ngapi za likizo?", "likizo.md", "ishirini na moja"),
    ],
)
def test_what_is_there_is_found_with_confidence(filled: DocumentIndex, question: str, path: str, words: str) -> None:
    """A user would be refused an answer that the documents hold."""
    found = FtsRetriever(filled).search("docs", question, 5)
    assert found.passages[0].path == path
    assert words in found.passages[0].text
    assert found.confidence >= THRESHOLD


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of Mongolia?",
        "How do I bake sourdough bread?",
        "Is there a parking space for my bicycle at the harbour?",
        "Which dentist accepts new patients?",
        "How do I turn on the coffee machine?",
        "Quel est le prix du billet de train ?",
        "Bei ya tiketi ya treni ni ngapi?",
    ],
)
def test_what_is_not_there_has_no_confidence(filled: DocumentIndex, question: str) -> None:
    """A user would be told something beside the point as if it were the answer."""
    assert FtsRetriever(filled).search("docs", question, 5).confidence < THRESHOLD


def test_passages_carry_their_place(filled: DocumentIndex) -> None:
    """A user could not see where an answer comes from."""
    passage = FtsRetriever(filled).search("docs", "jury duty summons", 1).passages[0]
    document = filled.document("docs", passage.path)
    assert document is not None
    assert (passage.title, passage.heading) == ("Leave", "Requesting leave > Jury duty")
    assert document.text[passage.start : passage.end] == passage.text
    assert Passage.from_dict(passage.to_dict()) == passage


def test_collections_and_limits(filled: DocumentIndex) -> None:
    """A user would not see what can be searched, or get more than was asked for."""
    retriever = FtsRetriever(filled.path)
    assert retriever.collections() == [Collection("docs", 5, 11)]
    assert len(retriever.search("docs", "leave hours", 2).passages) == 2
    assert retriever.search("absent", "leave", 5).passages == ()
    assert retriever.search("absent", "leave", 5).confidence == 0.0


def test_a_question_of_stop_words_still_searches_them(filled: DocumentIndex) -> None:
    """A user who searches for the title "What is it?" would get an error."""
    assert FtsRetriever(filled).search("docs", "how can it be", 5).passages


def test_a_change_of_subject_outweighs_the_old_one(filled: DocumentIndex) -> None:
    """A user who asks briefly about something else would be refused, or told more about the old subject."""
    found = FtsRetriever(filled).search("docs", "How do I turn off slow mode?\nWhat is sick leave?", 3)
    assert found.confidence >= THRESHOLD
    assert found.passages[0].heading == "Sick leave"


def test_a_definition_is_found_among_many_mentions(index: DocumentIndex, tmp_path: Path) -> None:
    """A newcomer who asks "what is X?" would be told everything about X but that."""
    mentions = {f"{n}.md": f"# Page {n}\n\nQuillon, quillon: run quillon {n}, stop quillon." for n in range(30)}
    write_pages(tmp_path / "q", {**mentions, "z.md": "# Start\n\nQuillon is a kettle for rooms without a socket. " * 2})
    add_path(index, "docs", tmp_path / "q")
    assert "is a kettle" in FtsRetriever(index).search("docs", "What is Quillon?", 5).passages[0].text


def test_an_index_that_cannot_be_read_is_a_failed_search(tmp_path: Path) -> None:
    """A user's run would stop instead of saying that search was unavailable."""
    path = tmp_path / "documents.db"
    path.write_bytes(b"no database " * 500)
    retriever = FtsRetriever(path)
    with pytest.raises(RetrievalFailed, match=r"documents\.db cannot be used"):
        retriever.search("docs", "leave", 5)
    with pytest.raises(RetrievalFailed):
        retriever.collections()

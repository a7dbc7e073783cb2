"""Quoted answers: word for word, with the place of each sentence, or an honest refusal."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import FenceLost
from pipeline.store.documents import DocumentIndex
from tasks.llm.extractive import ExtractiveModel
from tasks.llm.model import Question
from tasks.rag.fts import FtsRetriever
from tasks.rag.ingest import add_path
from tasks.rag.retriever import Passage
from tests.rag.conftest import Ask, answer


def test_a_made_up_fact_is_cited_to_the_character_and_refused_when_removed(
    index: DocumentIndex, ask: Ask, tmp_path: Path
) -> None:
    """A user would be sent to the wrong place, or be told what was taken back."""
    fact = "The Zephyrine lighthouse blinks in violet every 17 seconds."
    text = f"Été à la côte 😀. Ships beware!\n\n{fact} It was built by Ottoline Quill."
    file = tmp_path / "lighthouse.txt"
    file.write_text(text, encoding="utf-8")
    question = "How often does the Zephyrine lighthouse blink?"
    assert ask(question).refused
    add_path(index, "facts", file)
    cited = ask(question)
    assert cited.text.startswith(f"{fact} [1]")
    source = cited.sources[0]
    assert text[source.start : source.end] == fact == source.snippet
    assert (source.number, source.title, source.path, source.collection) == (1, "lighthouse", "lighthouse.txt", "facts")
    assert (cited.refused, cited.retriever_type) == (False, "extractive-fts5")
    assert cited.confidence >= 0.68
    index.remove("facts", "lighthouse.txt")
    refused = ask(question)
    assert (refused.refused, refused.sources, refused.confidence) == (True, (), 0.0)
    assert refused.text == "I could not find an answer to this in the documents."


def test_every_sentence_is_verbatim_and_numbered(filled: DocumentIndex, ask: Ask) -> None:
    """A user could not check an answer against the documents."""
    given = ask("How many hours of annual leave and sick leave accrue per pay period?")
    assert [source.number for source in given.sources] == list(range(1, len(given.sources) + 1))
    assert 2 <= len(given.sources) <= 3
    for source, line in zip(given.sources, given.text.split("\n"), strict=True):
        document = filled.document(source.collection, source.path)
        assert document is not None
        assert document.text[source.start : source.end] == source.snippet
        assert line == f"{source.snippet} [{source.number}]"


def test_a_wrapped_sentence_is_shown_on_one_line_and_a_list_as_a_list(filled: DocumentIndex, ask: Ask) -> None:
    """A user would read sentences broken in the middle, or a list run together."""
    assert "\nIt is closed on public holidays. [2]" in ask("Is the harbour office closed on public holidays?").text
    assert ask("How can I request leave?").text.startswith(
        "You can request leave in these ways:\n- in the staff portal\n- by writing to your supervisor [1]"
    )


def test_a_follow_up_is_answered_from_what_was_asked_before(filled: DocumentIndex, ask: Ask) -> None:
    """A user would have to repeat the subject in every question."""
    given = ask("and how do I turn it off?", "What is slow mode?")
    assert "Set the interval to zero, and slow mode is turned off at once. [" in given.text
    assert "Only moderators can do that." in ask("and who can do that?", "How do I turn off slow mode?").text


@pytest.mark.parametrize(
    ("language", "refusal", "nearest"),
    [
        ("en", "I could not find an answer to this in the documents.", "The nearest pages are: “Slow mode”"),
        (
            "fr-CA",
            "Je n'ai pas trouvé de réponse à cette question",
            "Les pages les plus proches sont : «\xa0Slow mode\xa0»",
        ),
        ("sw", "Sikupata jibu la swali hili", "Kurasa zilizo karibu zaidi ni: “Slow mode”"),
        ("xx", "I could not find an answer", "The nearest pages are"),
    ],
)
def test_a_refusal_is_plain_and_names_the_nearest(
    filled: DocumentIndex, ask: Ask, language: str, refusal: str, nearest: str
) -> None:
    """A user would be told something beside the point, or not where to look."""
    given = ask("Does slow mode cook spaghetti bolognese?", language=language)
    assert given.refused
    assert given.sources == ()
    assert given.confidence < 0.68
    assert given.text.startswith(refusal)
    assert nearest in given.text


def test_greetings_and_thanks(ask: Ask) -> None:
    """A user who says hello would not learn what can be asked."""
    assert ask("Hello!").text.startswith("Hello! I answer questions with sentences quoted from the documents")
    assert ask("Bonjour", language="fr").text.startswith("Bonjour !")
    assert ask("Habari", language="sw").text.startswith("Habari!")
    assert ask("Thanks!").text.startswith("You are welcome!")
    assert ask("Hello!").refused is False


def test_a_failed_search_is_not_called_an_absent_answer() -> None:
    """A user would believe that the documents hold nothing when they could not be read."""
    question = Question("What is leave?", "What is leave?", "en", "search", (), (), 0.0, search_failed=True)
    given = answer(ExtractiveModel(words_per_second=0), question)
    assert given.text.startswith("The documents could not be searched just now")
    assert (given.refused, given.confidence) == (True, 0.0)


def test_follow_up_questions_come_from_the_headings_nearby(filled: DocumentIndex, ask: Ask) -> None:
    """A user would not see what else the page tells."""
    given = ask("How much sick leave accrues per pay period?")
    assert given.follow_ups == ("What about Requesting leave?", "What about Jury duty?")
    assert "in the staff portal" in ask(given.follow_ups[0], "How much sick leave accrues per pay period?").text


def test_the_same_sentence_in_two_documents_is_quoted_once(index: DocumentIndex, ask: Ask, tmp_path: Path) -> None:
    """A user would read the same sentence three times."""
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text("The Zephyrine lamp is violet.", encoding="utf-8")
        add_path(index, f"from-{name[0]}", tmp_path / name)
    assert ask("Which colour is the violet Zephyrine lamp?").text.count("violet") == 1


def passage(text: str) -> Passage:
    """A passage that is a whole document."""
    return Passage("c", "docs", "Title", "", "a.txt", "", text, 0, len(text))


def test_words_come_at_their_pace_and_stop_when_told() -> None:
    """A user who cancels would keep a worker busy until the last word."""
    text = "The violet lamp " + "shines on " * 40 + "and on."
    question = Question("violet lamp", "violet lamp", "en", "search", (), (passage(text),), 1.0)
    stop = threading.Event()
    stream = ExtractiveModel(words_per_second=100).stream(question, stop.is_set)
    began = time.monotonic()
    first = [next(stream) for _ in range(21)]
    assert "".join(first) == "".join(f"{word} " for word in text.split()[:21])
    assert time.monotonic() - began >= 0.2
    stop.set()
    with pytest.raises(FenceLost):
        next(stream)


def test_a_slow_pace_leaves_time_for_other_duties() -> None:
    """A user would see words late, because the caller sleeps with the model."""
    question = Question("hello", "hello", "en", "greeting", (), (), 0.0)
    checks: list[float] = []

    def stopped() -> bool:
        checks.append(time.monotonic())
        return False

    stream = ExtractiveModel(words_per_second=0.5).stream(question, stopped)
    assert next(stream) == "Hello! "
    assert [next(stream) for _ in range(5)] == [""] * 5
    assert len(checks) >= 6
    stream.close()


def test_one_model_answers_several_threads(filled: DocumentIndex) -> None:
    """A user would get another user's words when two ask at once."""
    model = ExtractiveModel(words_per_second=0)
    found = FtsRetriever(filled).search("docs", "jury duty summons", 5)
    question = Question("jury duty summons", "jury duty summons", "en", "search", (), found.passages, found.confidence)
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(answer(model, question).text for _ in range(20)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 120
    assert len(set(answers)) == 1

"""French and Kiswahili: recognised, and found in other forms than those that are asked for."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pipeline.store.documents import DocumentIndex
from pipeline.store.stems import Stemmer
from pipeline.store.word_forms import forms
from tasks.rag.fts import FtsRetriever
from tasks.rag.ingest import add_path
from tasks.rag.languages import language_of_question, language_of_text
from tests.rag.conftest import Ask, write_pages

KISWAHILI = "Kila mfanyakazi anapata siku ishirini na moja za likizo kwa mwaka. Maombi hutumwa kwa msimamizi."
FRENCH = "Les salariés ont droit à vingt-cinq jours de congés payés par an. La demande se fait auprès du responsable."
ENGLISH = "Annual leave accrues at four hours per pay period, and it can be carried over."


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (KISWAHILI, "sw"),
        (FRENCH, "fr"),
        (ENGLISH, "en"),
        ("Der Urlaub wird beim Vorgesetzten beantragt, und zwar spätestens zwei Wochen vorher.", ""),
        ("4711 | 4712 | B12", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    """Without this a document's words would be cut by the rules of another language."""
    assert language_of_text(text) == language


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Combien de jours de congé ?", "fr"),
        ("Bonjour", "fr"),
        ("Ninawezaje kuomba likizo?", "sw"),
        ("Asante sana", "sw"),
        ("How much leave do I get?", "en"),
        ("PostgreSQL 16", "xx"),
    ],
)
def test_the_language_of_a_question(question: str, language: str) -> None:
    """Without this a question in French would be refused in English."""
    assert language_of_question(question, "xx") == language


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("fr", "congé", "congés"),
        ("fr", "demander", "demandées"),
        ("fr", "salarié", "salariés"),
        ("fr", "nationale", "nationaux"),
        ("sw", "kitabu", "vitabu"),
        ("sw", "mfanyakazi", "wafanyakazi"),
        ("sw", "kuomba", "maombi"),
        ("sw", "kutuma", "hutumwa"),
        ("sw", "anapata", "ninapataje"),
        ("sw", "ofisi", "ofisini"),
    ],
)
def test_forms_of_one_word_have_one_stem(language: str, one: str, other: str) -> None:
    """Without this a question in the singular would not find a page in the plural."""
    assert forms([one], language) == forms([other], language) != []
    # The index's own stemmer must leave a marked stem as it is.
    assert Stemmer().stems(forms([one], language)) == [forms([one], language)]


@pytest.mark.parametrize(
    ("language", "one", "other"), [("sw", "likizo", "kizibo"), ("sw", "maji", "mji"), ("fr", "poste", "porte")]
)
def test_different_words_have_different_stems(language: str, one: str, other: str) -> None:
    """Without this a question would be answered from a page about something else."""
    assert forms([one], language) != forms([other], language)


def test_questions_in_french_and_kiswahili_find_other_forms(index: DocumentIndex, ask: Ask, tmp_path: Path) -> None:
    """Without this a French or Kiswahili question would be refused for an ending."""
    folder = write_pages(tmp_path / "p", {"conges.md": FRENCH, "likizo.md": KISWAHILI, "leave.md": ENGLISH})
    add_path(index, "docs", folder)
    assert {path: getattr(index.document("docs", path), "language", None) for path in ("conges.md", "likizo.md")} == {
        "conges.md": "fr",
        "likizo.md": "sw",
    }
    assert "congés payés" in ask("À combien de jours le salarié a-t-il droit ?", language="fr").text
    assert "Maombi hutumwa" in ask("Ninawezaje kutuma ombi?", language="sw").text
    titles = {passage.title for passage in FtsRetriever(index).search("docs", "congé payé", 5).passages}
    assert titles == {"conges"}


def test_an_index_of_an_earlier_version_is_searched_and_then_brought_up_to_date(
    index: DocumentIndex, tmp_path: Path
) -> None:
    """Without this an update would lose all documents, or would never look at the French ones anew."""
    folder = write_pages(tmp_path / "p", {"conges.md": FRENCH, "leave.md": ENGLISH})
    add_path(index, "docs", folder)
    index.close()
    with sqlite3.connect(index.path) as connection:
        connection.execute("ALTER TABLE documents DROP COLUMN language")
        connection.execute("UPDATE documents SET digest = 'old' WHERE path = 'conges.md'")
        connection.execute("UPDATE chunk_words SET title = 'conges' WHERE title LIKE 'conges %'")
    connection.close()
    old = DocumentIndex(index.path)
    assert [hit.path for hit in old.search("docs", ["congés"], 5)] == ["conges.md"]
    report = add_path(old, "docs", folder)
    assert (report.replaced, report.unchanged) == (1, 1)
    assert [hit.path for hit in old.search("docs", forms(["demander"], "fr"), 5)] == ["conges.md"]
    old.close()

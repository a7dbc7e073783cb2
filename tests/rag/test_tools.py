"""What tools give: counts and the text of one document; which messages ask for them; what is refused as a tool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import catalog
from pipeline import settings as settings_table
from pipeline.errors import SettingError, StageFailed
from pipeline.settings import Settings
from pipeline.store.documents import DocumentIndex
from tasks import toolbox
from tasks.rag.ingest import add_path
from tasks.rag.plan import Call, keyed
from tasks.resources import INDEX_FILE
from tasks.tool import REGISTERED, Gave, ToolRun, tool
from tests.rag.conftest import PAGES, write_pages


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a home folder with two collections."""
    home = tmp_path_factory.mktemp("home")
    made = settings_table.load({"SPANFEED_HOME": str(home), "SPANFEED_EXTRACT_LIMIT_CHARACTERS": "5000"})
    index = DocumentIndex(home / INDEX_FILE)
    add_path(index, "hr", write_pages(home / "pages", PAGES))
    add_path(index, "long", write_pages(home / "long", {"a.txt": "\n\n".join(f"Paragraph {n}." for n in range(2000))}))
    yield made
    index.close()


def asked(settings: Settings, name: str, language: str = "en", **arguments: str) -> Gave:
    """What a tool gives."""
    return toolbox.find(settings, name).work(ToolRun(settings, "?", language), **arguments)


@pytest.mark.parametrize(
    ("message", "calls"),
    [
        ("How many documents do you have?", [{}]),
        ("How many files are in hr?", [{"collection": "hr"}]),
        ("Combien de documents contient la collection hr ?", [{"collection": "hr"}]),
        ("Kuna nyaraka ngapi?", [{}]),
        ("How many documents do I need for a visa?", []),
        ("How many days of leave do I have?", []),
    ],
)
def test_who_asks_for_a_count(settings: Settings, message: str, calls: list[dict[str, str]]) -> None:
    """Without this a question about the documents' number would be searched for, or one about visas be counted."""
    found = toolbox.asked_by_rules(settings, message, ["hr", "long"])
    assert [call.given() for call in found] == calls
    assert {call.tool for call in found} <= {"collection_stats"}


@pytest.mark.parametrize(
    ("language", "arguments", "statement"),
    [
        ("en", {"collection": "long"}, "The collection long holds 1 document with"),
        ("fr", {"collection": "hr"}, "La collection hr contient 5 documents, soit"),
        ("sw-KE", {"collection": "hr"}, "Mkusanyiko wa hr una nyaraka 5 zenye vifungu"),
        ("en", {}, "There are 6 documents with"),
        ("en", {"collection": "none"}, "The collection none holds 0 documents with 0 passages."),
    ],
)
def test_counts(settings: Settings, language: str, arguments: dict[str, str], statement: str) -> None:
    """Without this a user would be told wrong numbers, or in another language."""
    assert asked(settings, "collection_stats", language, **arguments).statement.startswith(statement)


@pytest.mark.parametrize("name", ["guide/leave.md", "LEAVE.md", "Leave"])
def test_a_document_is_found_by_path_file_or_title(settings: Settings, name: str) -> None:
    """Without this a model that knows a document by its title could not read it."""
    given = asked(settings, "extract_text", collection="hr", document=name, about="jury duty")
    assert {passage.path for passage in given.passages} == {"guide/leave.md"}
    assert any("jury duty" in passage.text for passage in given.passages)
    assert given.confidence == 1.0


def test_the_beginning_is_whole_and_bounded(settings: Settings) -> None:
    """Without this the text would be cut within words, differ from the document, or fill the model's memory."""
    given = asked(settings, "extract_text", collection="long", document="a.txt")
    text = "".join(passage.text for passage in given.passages)
    assert 4_000 < len(text) <= 5_000
    assert text.startswith("Paragraph 0.")
    assert [passage.start for passage in given.passages] == [0, given.passages[0].end]
    assert given.passages[0].text.endswith(".")


def test_no_such_document_or_tool(settings: Settings) -> None:
    """Without this a model that invents a name would break the answer."""
    assert asked(settings, "extract_text", collection="hr", document="invented.md") == Gave(data={"count": 0})
    with pytest.raises(StageFailed):
        asked(settings, "invented")


def test_two_calls_of_one_collection_have_spans_of_their_own() -> None:
    """Without this the second of two searches in one collection would be lost."""
    calls = [Call("docs", "a"), Call("docs", "b"), Call("", "", "now"), Call("", "", "now")]
    assert list(keyed(calls)) == [
        "tool_search_documents/docs",
        "tool_search_documents/docs#2",
        "tool_now",
        "tool_now/#2",
    ]
    assert list(keyed(calls).values()) == calls


def test_what_is_no_tool() -> None:
    """Without this a developer's slip would be found out by a user."""
    for texts in ({"begun": {"en": "x"}}, {"started": {"fr": "x"}}, {"started": {"en": "x", "de": "x"}}):
        with pytest.raises(ValueError, match="a status needs"):
            catalog.add_texts("tool_slip", texts)
    with pytest.raises(ValueError, match="already"):
        catalog.add_texts("tool_search_documents", {})
    with pytest.raises(ValueError, match="lower case"):
        tool("Slips.", optional=["x"])(lambda run: Gave())
    assert "<lambda>" not in REGISTERED


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    """Without this an operator would see no more of a misspelt module than that the tool never comes."""
    with pytest.raises(SettingError, match="SPANFEED_TOOLS: no_such_module cannot be imported"):
        toolbox.tools(settings_table.load({"SPANFEED_HOME": str(tmp_path), "SPANFEED_TOOLS": "no_such_module"}))


def test_a_rule_that_breaks_is_left_out(settings: Settings) -> None:
    """Without this one broken tool would keep every message from being answered."""

    def broken(message: str, collections: object) -> list[dict[str, str]]:
        raise KeyError(message)

    def odd(run: ToolRun) -> Gave:
        return Gave()

    tool("Odd.", asked=broken)(odd)
    try:
        assert toolbox.asked_by_rules(settings, "Hello", ["hr"]) == []
    finally:
        del REGISTERED["odd"]

"""The document index: what is kept, replaced, removed, and what its file says about itself."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from pipeline.errors import StoreUnavailable
from pipeline.store.documents import Chunk, Counted, Document, DocumentIndex
from pipeline.store.stems import Stemmer


def page(path: str, text: str, collection: str = "docs") -> tuple[Document, list[Chunk]]:
    """A document of one chunk."""
    chunk = Chunk(f"{collection}-{path}-{hash(text)}", "", text, 0, len(text))
    return Document(collection, path, path, "", text), [chunk]


def found(index: DocumentIndex, *words: str, collection: str = "docs") -> list[str]:
    """The paths of the documents that hold one of the words."""
    return [hit.path for hit in index.search(collection, words, 10)]


def test_added_twice_is_harmless(index: DocumentIndex) -> None:
    """A user would get every answer twice after indexing a folder again."""
    assert index.add(*page("a", "violet lamp")) == "added"
    assert index.add(*page("a", "violet lamp")) == "unchanged"
    assert found(index, "lamp") == ["a"]
    assert index.collections() == [Counted("docs", 1, 1)]


def test_a_changed_document_replaces_its_old_words(index: DocumentIndex) -> None:
    """A user would be quoted a sentence that the page no longer holds."""
    index.add(*page("a", "violet lamp"))
    assert index.add(*page("a", "green lantern")) == "replaced"
    assert found(index, "violet", "lamp") == []
    assert found(index, "lantern") == ["a"]
    assert index.document("docs", "a") == Document("docs", "a", "a", "", "green lantern")


def test_removing_one_document_a_folder_or_all(index: DocumentIndex) -> None:
    """A user would still be quoted what an administrator took back."""
    for path in ("a", "b/one", "b/two", "bc"):
        index.add(*page(path, f"lamp {path}"))
    assert index.remove("docs", "a") == (1, 1)
    assert index.remove("docs", "b") == (2, 2)
    assert found(index, "lamp") == ["bc"]
    assert index.remove("docs", "nothing") == (0, 0)
    assert index.remove("docs") == (1, 1)
    assert (index.documents(), index.collections(), index.document("docs", "bc")) == ([], [], None)


def test_collections_are_searched_apart(index: DocumentIndex) -> None:
    """A user who asks one collection would be answered from another."""
    index.add(*page("a", "violet lamp", "one"))
    index.add(*page("a", "violet lamp", "two"))
    assert [hit.collection for hit in index.search("two", ["lamp"], 10)] == ["two"]
    assert index.search("three", ["lamp"], 10) == []
    assert [listed.collection for listed in index.documents()] == ["one", "two"]
    assert [listed.characters for listed in index.documents("one")] == [11]


def test_words_are_found_by_stem_without_case_or_accent(index: DocumentIndex) -> None:
    """A user who writes "congés" or "Lamps" would not find "conge" or "lamp"."""
    index.add(*page("a", "Les congés payés; LAMPS and lanterns"))
    assert found(index, "conge") == found(index, "lamp") == found(index, "Lantern") == ["a"]


def test_statistics_count_chunks(index: DocumentIndex) -> None:
    """A user would be refused everything, or nothing, if rare words counted as common ones."""
    index.add(*page("a", "violet lamp"))
    index.add(*page("b", "green lamps"))
    assert index.statistics(["lamp", "violet", "absent"]) == (2, {"lamp": 2, "violet": 1, "absent": 0})


def test_an_add_that_fails_leaves_the_old_document(index: DocumentIndex) -> None:
    """A user would find half a document after a crash in the middle of indexing."""
    index.add(*page("a", "violet lamp"))
    document, chunks = page("a", "green lantern")
    with pytest.raises(StoreUnavailable):
        index.add(document, [chunks[0], chunks[0]])
    assert found(index, "violet") == ["a"]
    assert found(index, "lantern") == []


def test_every_thread_can_search_and_add(index: DocumentIndex) -> None:
    """A user would get an error whenever two questions are asked at once."""
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            index.add(*page(f"page-{number}", f"lamp number{number}"))
            assert found(index, f"number{number}") == [f"page-{number}"]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert index.collections() == [Counted("docs", 12, 12)]


def test_a_search_has_a_deadline(tmp_path: Path) -> None:
    """A user would wait without end for a search that cannot finish."""
    path = tmp_path / "documents.db"
    document, _ = page("a", "lamp")
    DocumentIndex(path).add(document, [Chunk(str(number), "", "lamp", 0, 4) for number in range(5_000)])
    hurried = DocumentIndex(path, timeout_seconds=-1.0)
    with pytest.raises(StoreUnavailable, match="did not answer in time"):
        hurried.search("docs", ["lamp"], 10)


def test_an_index_of_another_version_is_refused(tmp_path: Path) -> None:
    """A user would lose documents to an older program that writes into a newer file."""
    path = tmp_path / "documents.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreUnavailable, match="has version 99, this program reads version 1"):
        DocumentIndex(path)


def test_a_file_that_is_no_index_is_one_clear_sentence(tmp_path: Path) -> None:
    """A user who names the wrong file would get a traceback."""
    path = tmp_path / "documents.db"
    path.write_text("this is a letter, not a database, and rather longer than a header\n" * 40)
    with pytest.raises(StoreUnavailable, match=r"The document index documents\.db cannot be used: "):
        DocumentIndex(path)
    with pytest.raises(StoreUnavailable, match="folder of the document index cannot be made"):
        DocumentIndex(path / "below")


def test_a_closed_index_opens_again(index: DocumentIndex) -> None:
    """A user's question would fail after maintenance closed the file."""
    index.add(*page("a", "violet lamp"))
    index.close()
    assert found(index, "lamp") == ["a"]


def test_stems_keep_their_order_and_texts_apart() -> None:
    """A user would be quoted a sentence that holds none of the question's words."""
    stemmer = Stemmer()
    assert stemmer.stems(["Turning it OFF, congés!", "", "turned \0 off"]) == [
        ["turn", "it", "off", "cong"],
        [],
        ["turn", "off"],
    ]
    assert stemmer.stems([]) == []
    assert stemmer.stems(["again"]) == [["again"]]

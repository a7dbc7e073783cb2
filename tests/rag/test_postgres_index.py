"""The document index in PostgreSQL: it keeps, finds and counts what the one in a file does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline import settings as settings_table
from pipeline.errors import RetrievalFailed, StoreUnavailable
from pipeline.store import Store, migrate, open_store, postgres_search
from pipeline.store.documents import Chunk, Counted, Document, DocumentIndex
from pipeline.store.postgres_documents import PostgresIndex
from tasks.rag.fts import FtsRetriever
from tasks.rag.ingest import add_path
from tests.parts.postgres_part import PostgresPart
from tests.rag.conftest import PAGES

QUESTIONS = (
    "How do I turn off slow mode?",
    "What is sick leave?",
    "When does the harbour office open?",
    "annual leave accrues hours",
    "Comment demander un congé ?",
    "Likizo ni siku ngapi?",
    "jury duty summons",
)


@pytest.fixture(scope="module")
def store(postgres: PostgresPart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A migrated database for the file's tests."""
    environment = {"DATABASE_URL": postgres.new_database(), "SPANFEED_HOME": str(tmp_path_factory.mktemp("home"))}
    opened = open_store(settings_table.load(environment))
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def shared(store: Store) -> PostgresIndex:
    """An empty index."""
    index = PostgresIndex(store)
    for collection in index.collections():
        index.remove(collection.collection)
    return index


def page(path: str, said: str, title: str = "") -> tuple[Document, list[Chunk]]:
    """A document of one chunk."""
    chunk = Chunk(f"{path}-{hash(said)}", "", said, 0, len(said))
    return Document("docs", path, title or path, "", said), [chunk]


def test_it_finds_what_the_index_in_a_file_finds(shared: PostgresIndex, index: DocumentIndex, pages: Path) -> None:
    """Without this a user's answers would get worse when several machines share the documents."""
    assert add_path(shared, "docs", pages).added == len(PAGES)
    add_path(index, "docs", pages)
    assert shared.collections() == index.collections()
    for question in QUESTIONS:
        ours, theirs = (FtsRetriever(one).search("docs", question, 5) for one in (shared, index))
        assert ours.passages[0].to_dict() | {"score": 0} == theirs.passages[0].to_dict() | {"score": 0}, question
        assert ours.confidence == pytest.approx(theirs.confidence), question
        assert {p.chunk_id for p in ours.passages} == {p.chunk_id for p in theirs.passages}, question
    assert [(d.path, d.title, d.chunks, d.characters) for d in shared.documents("docs")] == [
        (d.path, d.title, d.chunks, d.characters) for d in index.documents("docs")
    ]
    assert shared.document("docs", "notes.txt") == index.document("docs", "notes.txt")
    some = [chunk.chunk_id for chunk in shared.page(0, 3)]
    assert {hit.chunk_id for hit in shared.chunks([*some, "absent"])} == set(some)
    assert {hit.text for hit in shared.chunks(some)} == {hit.text for hit in index.chunks(some)}
    assert [c.chunk_id for c in shared.page(0, 99)] == [c.chunk_id for c in index.page(0, 99)]


def test_counts_follow_what_is_added_replaced_and_removed(shared: PostgresIndex, store: Store) -> None:
    """Without this words of documents that are gone would still make others rare, or refuse a question."""
    assert shared.add(*page("a", "violet lamp")) == "added"
    assert shared.add(*page("a", "violet lamp")) == "unchanged"
    assert shared.add(*page("b/one", "green lamps")) == "added"
    assert shared.statistics(["lamp", "violet", "absent"]) == (2, {"lamp": 2, "violet": 1, "absent": 0})
    assert shared.add(*page("a", "red lantern")) == "replaced"
    assert shared.statistics(["lamp", "violet", "lantern"]) == (2, {"lamp": 1, "violet": 0, "lantern": 1})
    assert shared.search("docs", ["violet"], 5) == []
    assert shared.remove("docs", "b") == (1, 1)
    assert shared.remove("docs", "b") == (0, 0)
    assert shared.remove("docs") == (1, 1)
    with store.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM document_terms")).scalar_one() == 0
        assert connection.execute(text("SELECT sum(value) FROM document_counters")).scalar_one() == 0


def test_a_word_in_the_title_is_found_among_many_mentions(
    shared: PostgresIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this a large shared index would not find the page about a word that every page mentions."""
    monkeypatch.setattr(postgres_search, "_SURE_CANDIDATES", 3)
    monkeypatch.setattr(postgres_search, "_OTHER_CANDIDATES", 3)
    for number in range(12):
        shared.add(*page(f"{number}", f"the lamp of room {number}"))
    shared.add(*page("z", "the light with a switch", title="Lamp"))
    assert shared.search("docs", ["lamp"], 5)[0].path == "z"


def test_programs_that_add_at_once_do_not_disturb_each_other(shared: PostgresIndex) -> None:
    """Without this two machines that index folders together would lose documents, or wait for each other for ever."""
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for round_ in range(3):
                words = ["lamp", "violet", "green"][:: 1 if number % 2 else -1]
                shared.add(*page(f"page-{number}", " ".join([*words, f"number{number}", f"round{round_}"])))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert shared.collections() == [Counted("docs", 4, 4)]
    assert shared.statistics(["lamp", "round0", "round2"]) == (4, {"lamp": 4, "round0": 0, "round2": 4})


@pytest.mark.parametrize("word", ["it's", "a\\b", "x | y & !z:*", "nul\0byte", "'", "w" * 5_000, "日本語", ""])
def test_strange_words_are_only_words(shared: PostgresIndex, word: str) -> None:
    """Without this a user who asks with an apostrophe would see a failed search, or worse."""
    shared.add(*page("a", f"lamp {word.replace(chr(0), ' ')}"))
    assert [hit.path for hit in shared.search("docs", ["lamp", word], 5)] == ["a"]


def test_a_search_that_takes_too_long_is_a_failed_search(shared: PostgresIndex, store: Store) -> None:
    """Without this a user would wait without end while the database is overloaded."""
    shared.add(*page("a", "violet lamp"))
    hurried = PostgresIndex(store, timeout_seconds=0.05)
    with store.write() as connection:
        connection.execute(text("LOCK TABLE document_words IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(RetrievalFailed, match="did not answer"):
            FtsRetriever(hurried).search("docs", "violet lamp", 5)
    assert FtsRetriever(hurried).search("docs", "violet lamp", 5).passages


def test_another_database_is_refused(tmp_path: Path) -> None:
    """Without this whoever shares documents on SQLite would be told in SQL that it is not possible."""
    with pytest.raises(StoreUnavailable, match="needs PostgreSQL"):
        PostgresIndex(open_store(settings_table.load({"SPANFEED_HOME": str(tmp_path)})))

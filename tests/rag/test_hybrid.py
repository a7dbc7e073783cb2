"""Searching by words and embeddings together, and computing the embeddings that are lacking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline import settings as settings_table
from pipeline.errors import EmbeddingsFailed
from pipeline.store import migrate, open_store
from pipeline.store.documents import DocumentIndex
from pipeline.store.vectors import VectorTable
from tasks.rag.embedding import Embedding, Pass
from tasks.rag.embeddings import Embedder
from tasks.rag.exact import ExactVectors
from tasks.rag.fts import FtsRetriever
from tasks.rag.hybrid import HybridRetriever
from tasks.rag.ingest import add_path
from tests.rag.conftest import write_pages
from tests.stand_in import StandIn

CHUNKS = 11


class Search:
    """A hybrid search over an index, with a stand-in for the endpoint."""

    def __init__(self, index: DocumentIndex, stand_in: StandIn, home: Path) -> None:
        settings = settings_table.load(
            {
                "SPANFEED_HOME": str(home),
                "SPANFEED_EMBEDDINGS_BASE_URL": stand_in.base_url,
                "SPANFEED_EMBEDDINGS_MODEL": "stand-in",
                "SPANFEED_EMBEDDINGS_QUERY_TIMEOUT_MS": "10000",
            }
        )
        self.index = index
        self.stand_in = stand_in
        self.store = open_store(settings)
        migrate.upgrade(self.store)
        self.table = VectorTable(self.store, "stand-in", 1_000)
        self.embedder = Embedder(settings)
        self.vectors = ExactVectors(self.table)
        self.retriever = HybridRetriever(index, self.vectors, self.embedder, similarity_floor=0.3)

    def embed(self, state: Pass | None = None, seconds: float = 60, model: str = "stand-in", batch: int = 4) -> Pass:
        """Runs a pass."""
        embedding = Embedding(self.index, self.vectors, self.embedder, model, batch)
        return embedding.run(state or Pass(), seconds)

    def inputs(self) -> list[Sequence[str]]:
        """What the endpoint was asked since the last time."""
        asked = [request.body["input"] for request in self.stand_in.requests]
        self.stand_in.forget()
        return asked


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    """The file's stand-in."""
    with StandIn() as made:
        yield made


@pytest.fixture
def search(filled: DocumentIndex, server: StandIn, tmp_path: Path) -> Iterator[Search]:
    """A hybrid search over the pages; nothing is embedded yet."""
    server.script()
    server.forget()
    made = Search(filled, server, tmp_path / "home")
    yield made
    made.embedder.close()
    made.store.close()


def test_a_question_in_other_words_is_found_by_its_meaning(search: Search) -> None:
    """Without this a user who says vacation would not find the page about leave, and a model would not get it."""
    words = FtsRetriever(search.index).search("docs", "vacation vacation", 5)
    assert (words.passages, words.confidence) == ((), 0.0)
    search.embed()
    found = search.retriever.search("docs", "vacation vacation", 5)
    assert {passage.path for passage in found.passages[:2]} == {"guide/leave.md"}
    assert 0.25 < found.confidence < 0.72
    assert not found.words_alone
    exact = search.retriever.search("docs", "jury duty summons", 3)
    assert exact.passages[0].heading == "Requesting leave > Jury duty"
    assert len(exact.passages) == 3


def test_words_alone_are_searched_while_the_endpoint_is_away(search: Search) -> None:
    """Without this a user would get no answer because a second server does not answer."""
    search.embed()
    search.stand_in.script(fail_first=9)
    found = search.retriever.search("docs", "jury duty summons", 3)
    assert found.words_alone
    assert (
        found.passages[0].to_dict()
        == FtsRetriever(search.index).search("docs", "jury duty summons", 3).passages[0].to_dict()
    )
    assert len(found.passages) <= 3


def test_what_was_removed_is_not_shown_and_its_embedding_goes(search: Search) -> None:
    """Without this a user would be shown a passage that an administrator has taken back."""
    search.embed()
    _, gone = search.index.remove("docs", "guide")
    assert "guide/leave.md" not in {p.path for p in search.retriever.search("docs", "vacation", 9).passages}
    done = search.embed()
    assert (done.embedded, done.removed) == (0, gone)
    assert len(search.table.numbers()) == CHUNKS - gone


def test_a_pass_embeds_what_lacks_it_and_nothing_twice(search: Search, tmp_path: Path) -> None:
    """Without this each new page would have all pages paid for again."""
    done = search.embed()
    assert (done.done, done.embedded, done.looked_at) == (True, CHUNKS, CHUNKS)
    assert [len(texts) for texts in search.inputs()] == [4, 4, 3]
    assert search.embed().embedded == 0
    assert search.inputs() == []
    write_pages(tmp_path / "pages", {"new.md": "# New\n\nA violet lamp.", "notes.txt": "The office is closed."})
    add_path(search.index, "docs", tmp_path / "pages")
    assert search.embed().embedded == 2
    assert sorted(text for texts in search.inputs() for text in texts) == [
        "New\nA violet lamp.",
        "notes\nThe office is closed.",
    ]
    assert search.embed(model="another").embedded == CHUNKS + 1


def test_a_pass_that_stops_goes_on_where_it_was(search: Search) -> None:
    """Without this a large folder would never be finished, or be begun again after each fault."""
    search.stand_in.script(fail_first=1)
    with pytest.raises(EmbeddingsFailed):
        search.embed()
    search.inputs()
    state = search.embed(seconds=-1)
    assert (state.done, state.embedded) == (False, 4)
    state = search.embed(Pass(**vars(state)), seconds=-1)
    assert (state.done, state.embedded) == (False, 8)
    assert not search.retriever.search("docs", "vacation", 5).words_alone
    assert search.embed(state).done
    assert sum(len(texts) for texts in search.inputs() if isinstance(texts, list) and len(texts) > 1) == CHUNKS
    assert len(search.table.numbers()) == CHUNKS

"""The retrievers that are compared: each over documents of its own, in places of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline import settings as settings_table
from pipeline.settings import Settings
from pipeline.store import migrate, open_store
from pipeline.store.document_index import Index
from pipeline.store.documents import Chunk, Document, DocumentIndex
from pipeline.store.postgres_documents import PostgresIndex
from tasks.rag.chunks import chunk
from tasks.rag.embedding import Embedding, Pass
from tasks.rag.fts import FtsRetriever
from tasks.rag.hybrid import HybridRetriever
from tasks.rag.plaintext import PlainText
from tasks.rag.retriever import Retriever
from tasks.resources import embedder, vectors
from tests.parts.postgres_part import PostgresPart

COLLECTION = "benchmark"
_FILLER_CHARACTERS = 900
_CHUNKS_A_DOCUMENT = 100
_SEED = 1


@dataclasses.dataclass(frozen=True)
class Side:
    """A retriever under a name; `fill` gives it documents, in place of those that it had."""

    name: str
    fill: Callable[[Sequence[tuple[str, PlainText]]], Retriever]


@contextlib.contextmanager
def sides(names: Sequence[str], given: Settings) -> Iterator[list[Side]]:
    """Those of the names that can be had here; whatever was started is ended."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sf-bench-")))
        made = []
        for name in names:
            home = folder / name
            home.mkdir()
            side = _side(name, given, home, stack)
            if side is not None:
                made.append(side)
        yield made


def default_names(given: Settings) -> list[str]:
    """What is configured: words always, in SQLite and in PostgreSQL; embeddings where an endpoint is set."""
    names = ["fts5", "postgresql"]
    if given.embeddings_base_url:
        names.append("chroma" if given.chroma_host else "embeddings")
    return names


def _side(name: str, given: Settings, home: Path, stack: contextlib.ExitStack) -> Side | None:
    if name == "postgresql":
        part = PostgresPart()
        stack.callback(part.stop)
        return Side(name, lambda found: FtsRetriever(_filled(_postgres(part, home), found)))
    if name == "fts5":
        return Side(name, lambda found: FtsRetriever(_filled(_file(home), found)))
    return Side(name, lambda found: _hybrid(given, home, found))


def _file(home: Path) -> DocumentIndex:
    return DocumentIndex(Path(tempfile.mkdtemp(dir=home)) / "documents.db")


def _postgres(part: PostgresPart, home: Path) -> PostgresIndex:
    store = open_store(settings_table.load({"DATABASE_URL": part.new_database(), "SPANFEED_HOME": str(home)}))
    migrate.upgrade(store)
    return PostgresIndex(store)


def _hybrid(given: Settings, home: Path, found: Sequence[tuple[str, PlainText]]) -> Retriever:
    settings = dataclasses.replace(given, home=tempfile.mkdtemp(dir=home), database_url="")
    migrate.upgrade(open_store(settings))
    index = _filled(_file(home), found)
    kept, asked = vectors(settings), embedder(settings)
    Embedding(index, kept, asked, settings.embeddings_model, settings.embeddings_batch_chunks).run(Pass(), 1e9)
    return HybridRetriever(index, kept, asked, settings.embeddings_similarity_floor)


def _filled(index: Any, found: Sequence[tuple[str, PlainText]]) -> Any:
    for path, plain in found:
        index.add(Document(COLLECTION, path, plain.title, plain.url, plain.text), chunk(COLLECTION, path, plain))
    return index


def add_filler(index: Index, sentences: Sequence[str], chunks: int) -> None:
    """Adds so many chunks of sentences that are drawn by lot."""
    drawn = random.Random(_SEED)
    for number in range(0, chunks, _CHUNKS_A_DOCUMENT):
        made = []
        for place in range(_CHUNKS_A_DOCUMENT):
            text = ""
            while len(text) < _FILLER_CHARACTERS:
                text += drawn.choice(sentences) + " "
            made.append(Chunk(f"filler-{number + place}", "", text, 0, len(text)))
        index.add(Document(COLLECTION, f"filler/{number}", f"Page {number}", "", ""), made)

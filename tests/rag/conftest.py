"""A document index with a few pages, and a way to ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.store.documents import DocumentIndex
from tasks.llm.extractive import ExtractiveModel
from tasks.llm.model import Answer, Question, Turn
from tasks.rag.fts import FtsRetriever
from tasks.rag.fusion import fuse
from tasks.rag.ingest import add_path
from tasks.rag.plan import make_plan
from tasks.rag.reading import FileReader

Ask = Callable[..., Answer]

PAGES = {
    "slow-mode.md": """---
title: Slow mode
---

Slow mode limits how often a visitor may write in a room.

## Turning it on

Open the room's settings and choose an interval between 5 and
120 seconds.

## Turning it off

Set the interval to zero, and slow mode is turned off at once. Only
moderators can do that.
""",
    "guide/leave.md": """# Leave

Annual leave accrues at four hours per pay period. It can be carried over up to 240 hours.

## Sick leave

Sick leave accrues at four hours per pay period, e.g. for illness. There is no maximum.

## Requesting leave

You can request leave in these ways:

- in the staff portal
- by writing to your supervisor

### Jury duty

Court leave is granted for jury duty. It needs a copy of the summons.
""",
    "notes.txt": "The harbour office opens at 7:30 on weekdays.\nIt is closed\non public holidays.\n",
    "conges.html": """<html><head><title>Les congés</title></head><body><nav>Accueil Contact</nav><main>
<h1>Les congés</h1>
<p>Les salariés ont droit à vingt-cinq jours de congés payés par an.</p><h2>Demander un congé</h2>
<p>La demande se fait auprès du responsable, deux semaines à l'avance.</p></main>
<script>let x = 1</script></body></html>
""",
    "likizo.md": """# Likizo

Kila mfanyakazi anapata siku ishirini na moja za likizo kwa mwaka. Maombi ya likizo hutumwa kwa msimamizi.
""",
}


def write_pages(folder: Path, pages: dict[str, str]) -> Path:
    """Writes the pages below `folder` and returns it."""
    for name, text in pages.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Iterator[DocumentIndex]:
    """An empty index in a file of its own."""
    made = DocumentIndex(tmp_path / "home" / "documents.db")
    yield made
    made.close()


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A folder with the pages."""
    return write_pages(tmp_path / "pages", PAGES)


@pytest.fixture(scope="session")
def reader() -> Iterator[FileReader]:
    """One reader of files for all tests."""
    with FileReader() as made:
        yield made


@pytest.fixture
def filled(index: DocumentIndex, pages: Path, reader: FileReader) -> DocumentIndex:
    """The index with the pages in the collection `docs`."""
    assert add_path(index, "docs", pages, reader=reader).added == len(PAGES)
    return index


def answer(model: ExtractiveModel, question: Question) -> Answer:
    """The model's answer, after checking that what it streamed is the same text."""
    stream = model.stream(question, lambda: False)
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            finished: Answer = end.value
            assert "".join(pieces) == finished.text
            return finished


@pytest.fixture
def ask(index: DocumentIndex) -> Ask:
    """Plans, searches, fuses and answers, as the stages do."""

    def asking(message: str, *earlier: str, language: str = "en", only: str | None = None) -> Answer:
        retriever = FtsRetriever(index)
        history: Sequence[Turn] = [Turn("user", text) for text in earlier]
        plan = make_plan(message, history, [c.name for c in retriever.collections()], only)
        found = fuse([retriever.search(call.collection, call.query, 5) for call in plan.calls], 5)
        question = Question(
            message, plan.standalone, language, plan.mode, tuple(history), found.passages, found.confidence
        )
        return answer(ExtractiveModel(words_per_second=0), question)

    return asking

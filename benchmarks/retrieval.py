"""The search: how often it finds the right passage, how often it refuses, and how long it takes, for any documents.

`python -m benchmarks.retrieval --documents DIR [--questions FILE] [--retriever NAME …] [--chunks N] [--json]`

Each half of the documents is indexed alone. The questions about a half must be answered from it; those about the other
half should be refused. Without a file the questions are the documents' headings in other words.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.retrieval_questions import Asked, documents, from_file, from_headings, half_of, to_file
from benchmarks.retrieval_sides import COLLECTION, Side, add_filler, default_names, sides
from pipeline import settings as settings_table
from pipeline.errors import SpanfeedError
from tasks.llm.extractive import ExtractiveModel
from tasks.llm.model import Answer, Question
from tasks.rag.fts import FtsRetriever
from tasks.rag.plaintext import PlainText
from tasks.rag.retriever import Found, Retriever
from tasks.rag.sentences import sentence_spans

HALVES = ("first", "second")
_PASSAGES = 5
_LEAST_SENTENCE_CHARACTERS = 30
_NAMES = ("fts5", "postgresql", "embeddings", "chroma")


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured figure of one retriever; `questions` is of how many."""

    retriever: str
    half: str
    name: str
    value: float
    unit: str
    questions: int


def measure(side: Side, found: Sequence[tuple[str, PlainText]], asked: Sequence[Asked]) -> Iterator[Figure]:
    """The figures of a retriever, for one half of the documents after the other."""
    for half, label in enumerate(HALVES):
        print(f"{side.name}: the {label} half", file=sys.stderr)
        retriever = side.fill([one for one in found if half_of(one[0]) == half])
        present = [one for one in asked if half_of(one.path) == half]
        absent = [one for one in asked if half_of(one.path) != half]
        ms: list[float] = []
        gave = [(one, *_answer(retriever, one.question, ms)) for one in present]
        refused = [_answer(retriever, one.question, ms)[1].refused for one in absent]
        shares = {
            "recall@1": [_holds(given, one, 1) for one, given, _ in gave],
            f"recall@{_PASSAGES}": [_holds(given, one, _PASSAGES) for one, given, _ in gave],
            "answer holds the words": [_plain(one.answer) in _plain(said.text) for one, _, said in gave],
            "refused though present": [said.refused for _, _, said in gave],
            "refused when absent": refused,
        }
        for name, values in shares.items():
            yield Figure(side.name, label, name, sum(values) / max(1, len(values)), "share", len(values))
        yield from _times(side.name, label, "a search", ms)


def measure_large(
    names: Sequence[str], found: Sequence[tuple[str, PlainText]], asked: Sequence[Asked], chunks: int
) -> Iterator[Figure]:
    """How long a search by words takes among so many chunks."""
    cut = [text[a:b] for _, plain in found for text in [plain.text] for a, b in sentence_spans(text)]
    cut = [sentence for sentence in cut if len(sentence) >= _LEAST_SENTENCE_CHARACTERS]
    with sides([name for name in names if name in _NAMES[:2]], settings_table.load()) as made:
        for side in made:
            print(f"{side.name}: {chunks} chunks", file=sys.stderr)
            retriever = side.fill(found)
            assert isinstance(retriever, FtsRetriever)
            add_filler(retriever.index, cut, chunks)
            for warm in (True, False):
                ms: list[float] = []
                for one in asked:
                    _search(retriever, one.question, ms)
                if not warm:
                    yield from _times(side.name, "both", f"a search of {chunks} chunks", ms)


def _times(retriever: str, half: str, name: str, ms: list[float]) -> Iterator[Figure]:
    ms.sort()
    for share, label in ((0.5, "p50"), (0.95, "p95")):
        yield Figure(retriever, half, f"{name}, {label}", ms[int(len(ms) * share)] if ms else 0.0, "ms", len(ms))


def _search(retriever: Retriever, question: str, ms: list[float]) -> Found:
    began = time.perf_counter()
    found = retriever.search(COLLECTION, question, _PASSAGES)
    ms.append((time.perf_counter() - began) * 1000)
    return found


def _answer(retriever: Retriever, question: str, ms: list[float]) -> tuple[Found, Answer]:
    found = _search(retriever, question, ms)
    asked = Question(question, question, "en", "search", (), found.passages, found.confidence)
    stream = ExtractiveModel(words_per_second=0).stream(asked, lambda: False)
    while True:
        try:
            next(stream)
        except StopIteration as end:
            return found, end.value


def _holds(found: Found, asked: Asked, first: int) -> bool:
    words = _plain(asked.answer)
    return any(passage.path == asked.path and words in _plain(passage.text) for passage in found.passages[:first])


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def show(figures: Sequence[Figure], as_json: bool) -> None:
    """Prints a table with a column for each retriever, or one JSON object a line."""
    if as_json:
        for one in figures:
            print(json.dumps({**dataclasses.asdict(one), "value": round(one.value, 4)}))
        return
    names = list(dict.fromkeys(one.retriever for one in figures))
    rows = [("", "half", "of", *names)]
    for half, name in dict.fromkeys((one.half, one.name) for one in figures):
        cells = {one.retriever: one for one in figures if (one.half, one.name) == (half, name)}
        of = next(iter(cells.values())).questions
        shown = [f"{cells[n].value:.3f}" if n in cells else "" for n in names]
        rows.append((f"{name} ({next(iter(cells.values())).unit})", half, str(of), *shown))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, required=True, help="folder of documents")
    parser.add_argument("--questions", type=Path, help="a JSON object a line: question, path, answer")
    parser.add_argument("--write-questions", type=Path, help="write the questions there, to be corrected by hand")
    parser.add_argument("--limit", type=int, default=300, help="so many questions of headings")
    parser.add_argument("--retriever", action="append", choices=_NAMES, help="default: all that are configured")
    parser.add_argument("--chunks", type=int, default=0, help="also search among so many chunks")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    settings = settings_table.load()
    found = list(documents(asked.documents))
    questions = from_file(asked.questions) if asked.questions else from_headings(asked.documents, asked.limit)
    if asked.write_questions:
        to_file(questions, asked.write_questions)
    names = asked.retriever or default_names(settings)
    figures: list[Figure] = []
    try:
        with sides(names, settings) as made:
            for side in made:
                figures += measure(side, found, questions)
        if asked.chunks:
            figures += measure_large(names, found, questions, asked.chunks)
    except SpanfeedError as error:
        sys.exit(settings.hide_secrets(str(error)))
    show(figures, asked.json)


if __name__ == "__main__":
    main()

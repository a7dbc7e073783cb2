"""How often a quoted answer is right, by its confidence: questions made of the documents' own sentences.

`python -m benchmarks.confidence [FOLDER]`; the folder is the documentation when none is given.

A question is made of a sentence's content words: some are left out and some replaced by words of other documents, as
somebody asks who remembers a thing in other words. A quarter of the documents is kept out of the index: questions
about these cannot be answered. An answer is right when it quotes the sentence's own document.
"""

from __future__ import annotations

import itertools
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.store.documents import Document, DocumentIndex
from tasks.llm.extractive import ExtractiveModel
from tasks.llm.model import Answer, Question
from tasks.rag.fts import FtsRetriever
from tasks.rag.ingest import add_path
from tasks.rag.sentences import sentence_spans
from tasks.rag.terms import content_words

ROOT = Path(__file__).parents[1]
BOUNDS = (0.0, 0.3, 0.5, 0.6, 0.72, 0.8, 0.9, 1.01)
QUESTIONS_LIMIT = 2_000
PASSAGES_LIMIT = 5


def questions(documents: list[Document], chance: random.Random) -> Iterator[tuple[str, Document]]:
    """Questions, each with the document that it is about."""
    vocabulary = sorted({word for document in documents for word in content_words(document.text)})
    for _ in range(QUESTIONS_LIMIT):
        document = chance.choice(documents)
        spans = [span for span in sentence_spans(document.text) if 40 <= span[1] - span[0] <= 250]
        if not spans:
            continue
        start, end = chance.choice(spans)
        found = content_words(document.text[start:end])
        chance.shuffle(found)
        kept = found[: chance.randint(3, 6)]
        for place in range(len(kept)):
            if chance.random() < 0.25:
                kept[place] = chance.choice(vocabulary)
        if len(kept) >= 3:
            yield " ".join(kept), document


def answered(retriever: FtsRetriever, author: ExtractiveModel, asked: str) -> Answer:
    """The answer to one question, whatever its confidence."""
    found = retriever.search("all", asked, PASSAGES_LIMIT)
    stream = author.stream(Question(asked, asked, "en", "search", (), found.passages, found.confidence), lambda: False)
    while True:
        try:
            next(stream)
        except StopIteration as end:
            answer: Answer = end.value
            return answer


def main() -> None:
    """Prints a line for each range of confidence."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"
    chance = random.Random(1)  # nosec - the same questions each time
    with tempfile.TemporaryDirectory() as home:
        index = DocumentIndex(Path(home) / "documents.db")
        add_path(index, "all", folder)
        listed = [index.document("all", one.path) for one in index.documents("all")]
        documents = [one for one in listed if one is not None]
        for document in documents:
            if chance.random() < 0.25:
                index.remove("all", document.path)
        retriever, author = FtsRetriever(index), ExtractiveModel(0.0, 0.0, PASSAGES_LIMIT)
        told = [(answered(retriever, author, asked), document) for asked, document in questions(documents, chance)]
        index.close()
    print(f"{len(documents)} documents, {len(told)} questions\n\nconfidence    answers   right")
    for low, high in itertools.pairwise(BOUNDS):
        here = [any(s.path == d.path for s in answer.sources) for answer, d in told if low <= answer.confidence < high]
        share = f"{sum(here) / len(here):7.0%}" if here else "      -"
        print(f"{low:4.2f} to {min(high, 1.0):4.2f}  {len(here):7}  {share}")


if __name__ == "__main__":
    main()

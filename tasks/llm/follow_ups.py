"""Questions that a user may ask next: about the headings that stand near the answer, but not over it."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.llm.model import Question, Source
from tasks.llm.texts import say
from tasks.rag.chunks import HEADING_SEPARATOR
from tasks.rag.retriever import Passage

_LIMIT = 3
_LIMIT_CHARACTERS = 80


def follow_ups(question: Question, passages: Sequence[Passage], sources: Sequence[Source]) -> tuple[str, ...]:
    """At most three, best first: the passages' own order. Each is about a document that the answer cites."""
    cited = [passage for passage in passages if any(_holds(passage, source) for source in sources)]
    answered = {passage.heading for passage in cited} | {""}
    documents = {(source.collection, source.path) for source in sources}
    asked = question.text.casefold()
    found: dict[str, None] = {}
    for passage in passages:
        heading = passage.heading.rpartition(HEADING_SEPARATOR)[2].strip()
        near = (passage.collection, passage.path) in documents
        if not near or passage.heading in answered or heading.casefold() in asked:
            continue
        if len(heading) <= _LIMIT_CHARACTERS:
            text = heading if heading.endswith("?") else say("follow_up", question.language, heading=heading)
            found.setdefault(text)
    return tuple(found)[:_LIMIT]


def _holds(passage: Passage, source: Source) -> bool:
    same = (passage.collection, passage.path) == (source.collection, source.path)
    return same and passage.start < source.end and source.start < passage.end

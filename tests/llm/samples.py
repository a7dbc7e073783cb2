"""Passages and questions to ask in tests, with what a whole stream came to."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from typing import Any

from tasks.llm.model import Answer, Question
from tasks.llm.openai import OpenAIModel
from tasks.rag.retriever import Passage


def passage(number: int, text: str, **changed: Any) -> Passage:
    """A passage of its own document."""
    made = Passage(
        chunk_id=f"chunk-{number}",
        collection="docs",
        title=f"Title {number}",
        heading=f"Heading {number}",
        path=f"docs/{number}.md",
        url=f"https://example.org/{number}",
        text=text,
        start=number * 100,
        end=number * 100 + len(text),
    )
    return dataclasses.replace(made, **changed)


PASSAGES = (
    passage(1, "The lamp is switched off with the red lever."),
    passage(2, "The lamp burns for nine hours."),
    passage(3, "The lever is behind the door."),
)


def question(text: str = "How do I turn it off?", **changed: Any) -> Question:
    """A question with three passages that fit."""
    made = Question(
        text=text,
        standalone=text,
        language="en",
        mode="search",
        history=(),
        passages=PASSAGES,
        confidence=0.9,
    )
    return dataclasses.replace(made, **changed)


def never() -> bool:
    """A stage that goes on."""
    return False


def eventually(condition: Callable[[], bool], timeout_seconds: float = 10.0) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@dataclasses.dataclass
class Told:
    """What a stream gave: its pieces in order, then its answer or the error that ended it."""

    pieces: list[str] = dataclasses.field(default_factory=list)
    answer: Answer | None = None
    error: Exception | None = None

    @property
    def text(self) -> str:
        """The pieces together."""
        return "".join(self.pieces)


def ask(model: OpenAIModel, asked: Question | None = None, stopped: Callable[[], bool] = never) -> Told:
    """Takes a stream to its end."""
    told = Told()
    try:
        told.answer = collect(model.stream(asked or question(), stopped), told.pieces)
    except Exception as error:
        told.error = error
    return told


def collect(stream: Generator[str, None, Answer], pieces: list[str]) -> Answer:
    """The answer of `stream`; its pieces are appended to `pieces` as they come."""
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            answer: Answer = end.value
            return answer

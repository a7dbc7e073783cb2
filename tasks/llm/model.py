"""The protocol that an answer's author fulfils: a question goes in, text comes out in pieces, then the answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from typing import Any, Protocol

from tasks.rag.retriever import Passage


@dataclasses.dataclass(frozen=True)
class Turn:
    """An earlier message of the session; `role` is `user` or `assistant`."""

    role: str
    text: str


@dataclasses.dataclass(frozen=True)
class Question:
    """All that the author may look at.

    `text` is the message as asked; `standalone` the same with what a follow-up needs from the history.
    `mode` is the plan's: `search` (documents were searched) or `greeting` (nothing was). `statements` are what tools
    said, each an answer by itself; they are numbered before the passages. `attempt` counts the stage's tries from 1.
    """

    text: str
    standalone: str
    language: str
    mode: str
    history: tuple[Turn, ...]
    passages: tuple[Passage, ...]
    confidence: float
    search_failed: bool = False
    statements: tuple[Passage, ...] = ()
    attempt: int = 1


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a numbered statement of the answer comes from; `start` and `end` are characters of `path`'s text."""

    number: int
    title: str
    url: str
    snippet: str
    path: str
    collection: str
    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        """The source as the answer's JSON shows it."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Usage:
    """What the model's endpoint counted, and what it costs where prices are set."""

    requests: int
    request_tokens: int
    response_tokens: int
    total_tokens: int
    details: dict[str, int] = dataclasses.field(default_factory=dict)
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        """Both together; without a cost when one has none."""
        names = {*self.details, *other.details}
        return Usage(
            self.requests + other.requests,
            self.request_tokens + other.request_tokens,
            self.response_tokens + other.response_tokens,
            self.total_tokens + other.total_tokens,
            {name: self.details.get(name, 0) + other.details.get(name, 0) for name in sorted(names)},
            None if self.cost is None or other.cost is None else self.cost + other.cost,
        )

    def to_dict(self) -> dict[str, Any]:
        """The counts as the answer's JSON shows them; `cost` only where there is one."""
        told = dataclasses.asdict(self)
        return told if self.cost is not None else {name: told[name] for name in told if name != "cost"}


@dataclasses.dataclass(frozen=True)
class Answer:
    """The finished answer. `text` is the concatenation of all pieces that were streamed before it.

    `provider` and `model` are those that wrote it, where that may be another than the author's own. `checks` counts
    what was looked up in the passages, None where nothing had to be: an answer that is quoted, or refused.
    """

    text: str
    sources: tuple[Source, ...]
    confidence: float
    retriever_type: str
    refused: bool = False
    usage: Usage | None = None
    follow_ups: tuple[str, ...] = ()
    provider: str = ""
    model: str = ""
    checks: dict[str, int] | None = None


class Model(Protocol):
    """An author of answers."""

    provider: str
    name: str

    def stream(self, question: Question, stopped: Callable[[], bool]) -> Generator[str, None, Answer]:
        """Yields the answer's text in pieces, then returns the whole Answer.

        Looks at `stopped()` between pieces and gives up (raises FenceLost) when it is true.
        Raises TransientFault when trying again may help, StageFailed when it would not.
        """

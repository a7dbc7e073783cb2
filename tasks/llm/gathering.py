"""Puts the chunks of one answer together, then judges whether they are a whole answer."""

from __future__ import annotations

from pipeline.errors import StageFailed, TransientFault
from tasks.llm import faults
from tasks.llm.characters import PieceJoiner
from tasks.llm.chunks import Chunk
from tasks.llm.model import Usage
from tasks.llm.tool_calls import CallGathering

ANSWER_LIMIT_CHARACTERS = 200_000


class Gathering:
    """What came of an answer so far. `text` is the concatenation of all that `take` and `finish` gave."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.done = False
        self.calls = CallGathering()
        self.at_work = False
        """Whether anything came of what was asked for; the role alone, or a greeting of the server, is nothing."""
        self._pieces: list[str] = []
        self._length = 0
        self._joiner = PieceJoiner()

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._pieces)

    @property
    def begun(self) -> bool:
        """Whether any text came."""
        return self._length > 0

    def take(self, chunk: Chunk) -> str:
        """The text that `chunk` adds. Raises the fault it tells, unless the answer was already finished."""
        if chunk.fault is not None:
            if self.finish_reason is None:
                raise chunk.fault
            self.done = True
            return ""
        self.at_work = self.at_work or chunk.working
        self.calls.take(chunk.calls)
        self.usage = chunk.usage or self.usage
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.done = self.done or chunk.done
        return self._keep(self._joiner.join(chunk.text))

    def finish(self) -> str:
        """The text that was held back until it was known that nothing follows."""
        return self._keep(self._joiner.finish())

    def _keep(self, text: str) -> str:
        text = text[: ANSWER_LIMIT_CHARACTERS - self._length]
        self._pieces.append(text)
        self._length += len(text)
        if self._length >= ANSWER_LIMIT_CHARACTERS:
            self.finish_reason, self.done = "length", True
        return text

    def check(self) -> None:
        """Raises TransientFault or StageFailed when what was gathered is no answer."""
        self.check_end()
        if not self.text.strip():
            if self.finish_reason == "length":
                raise StageFailed("The model used up its length before it began to answer.")
            raise TransientFault("The model gave an empty answer.")

    def check_end(self) -> None:
        """Raises TransientFault or StageFailed when the endpoint did not come to its end.

        An end without `[DONE]` and without a finish reason is a cut, however cleanly the connection was closed.
        """
        if self.finish_reason is None and not self.done:
            raise faults.cut()
        if self.finish_reason == "content_filter":
            raise StageFailed("The model's endpoint withheld the answer.")
        if self.finish_reason == "error":
            raise TransientFault("The model's endpoint reported an error.")

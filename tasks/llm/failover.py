"""Asks another endpoint when one fails before its first word, and tells the user."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence

from pipeline import catalog
from pipeline.breaker import Breaker
from pipeline.errors import StageFailed, TransientFault
from pipeline.tracing import report_progress
from tasks.llm.model import Answer, Question
from tasks.llm.openai import OpenAIModel


class FailoverModel:
    """A Model of several, in the order of preference.

    One that failed rests: for `rest_seconds` it is asked after the others. A further try of the stage begins with the
    next one, since what was said before a fault cannot be taken back within a try.
    """

    def __init__(self, models: Sequence[OpenAIModel], rest_seconds: float) -> None:
        self.models = tuple(models)
        self.provider, self.name = self.models[0].provider, self.models[0].name
        self._rests = {id(model): Breaker(1, rest_seconds) for model in self.models}

    def order(self, attempt: int = 1) -> list[OpenAIModel]:
        """The models in the order in which they are asked now."""
        first = (attempt - 1) % len(self.models)
        turned = [*self.models[first:], *self.models[:first]]
        return sorted(turned, key=lambda model: not self._rests[id(model)].allows())

    def stream(self, question: Question, stopped: Callable[[], bool]) -> Generator[str, None, Answer]:
        """As `OpenAIModel.stream`. Raises what made the last one fail, or before it what may pass."""
        faults: list[TransientFault | StageFailed] = []
        asked: OpenAIModel | None = None
        models = self.order(question.attempt)
        for model in models:
            if asked is not None:
                tell_another(question.language, asked, model, faults[-1])
            asked = model
            spoke = False
            try:
                with contextlib.closing(model.stream(question, stopped, hurried=model is not models[-1])) as pieces:
                    while True:
                        try:
                            piece = next(pieces)
                        except StopIteration as end:
                            self.note(model, well=True)
                            answer: Answer = end.value
                            return answer
                        spoke = spoke or piece != ""
                        yield piece
            except (TransientFault, StageFailed) as fault:
                self.note(model, well=False)
                if spoke:
                    raise
                faults.append(fault)
        raise next((fault for fault in faults if isinstance(fault, TransientFault)), faults[-1])

    def note(self, model: OpenAIModel, well: bool) -> None:
        """Remembers how it went with one of the models."""
        rest = self._rests[id(model)]
        if well:
            rest.succeeded()
        else:
            rest.failed()


def tell_another(language: str, asked: OpenAIModel, now: OpenAIModel, fault: Exception) -> None:
    """Tells as progress of the running stage that another model is asked."""
    data = {"fallback": True, "from": asked.name, "to": now.name, "error": type(fault).__name__}
    report_progress(data, catalog.note("another_model", language))

"""generate: has the answer written, and announces it piece by piece while it is."""

from __future__ import annotations

import contextlib
import functools
import operator
import time
from collections.abc import Sequence
from typing import Any

from pipeline.errors import FenceLost, StageFailed, TransientFault
from pipeline.event import clean_text
from pipeline.tracing import current_stage_span
from tasks.llm.attributes import model_attributes
from tasks.llm.model import Answer, Model, Question, Turn, Usage
from tasks.rag.languages import language_of_question
from tasks.rag.retriever import Passage
from tasks.resources import model
from tasks.stage import Ending, Opening, Outcome, StageRun, stage

SPAN = "response_generation"


def opens(_: StageRun) -> Sequence[Opening]:
    """response_generation."""
    return [Opening(SPAN)]


@stage("generate", opens=opens, reads=("receive", "history", "think", "search"))
def generate(run: StageRun) -> Outcome:
    """Streams the answer's pieces; what is saved is their concatenation."""
    author = model(run.runtime.settings)
    answer = _write(run, author, _question(run))
    _describe(author, answer)
    output = {
        "text": clean_text(answer.text),
        "sources": [source.to_dict() for source in answer.sources],
        "confidence": round(answer.confidence, 4),
        "retriever_type": answer.retriever_type,
        "refused": answer.refused,
        "usage": _usage(run, answer),
        "follow_ups": list(answer.follow_ups),
        "checks": answer.checks,
    }
    data = {"sources": len(answer.sources), "confidence": output["confidence"], "refused": answer.refused}
    if answer.checks is not None:
        data["checks"] = answer.checks
    return Outcome(output, [Ending(SPAN, data)], "save")


def _usage(run: StageRun, answer: Answer) -> dict[str, Any] | None:
    """What was counted for the answer, and for the plan where a model made it."""
    asked = run.inputs["think"].get("asked") or {}
    counted = [Usage(**asked["usage"])] if asked.get("usage") else []
    counted += [answer.usage] if answer.usage is not None else []
    return functools.reduce(operator.add, counted).to_dict() if counted else None


def _question(run: StageRun) -> Question:
    plan = run.inputs["think"]
    found = run.inputs.get("search", {"passages": [], "confidence": 0.0, "search_failed": False})
    text = run.inputs["receive"]["text"]
    return Question(
        text=text,
        standalone=plan["standalone"],
        language=language_of_question(text, run.language),
        mode=plan["mode"],
        history=tuple(Turn(**turn) for turn in run.inputs.get("history", [])),
        passages=tuple(Passage.from_dict(passage) for passage in found["passages"]),
        confidence=found["confidence"],
        search_failed=found["search_failed"],
        statements=tuple(Passage.from_dict(stated) for stated in found.get("statements", ())),
        attempt=run.attempt,
    )


class _Voice:
    """Announces pieces gathered into frames: the first at once, then one an interval."""

    def __init__(self, run: StageRun) -> None:
        self._run = run
        self._interval_seconds = run.runtime.settings.token_frame_interval_ms / 1000
        self._waiting = ""
        self._offset = 0
        self._spoke = 0.0

    def say(self, piece: str) -> None:
        """Takes a piece, or '' when only time has passed. Raises FenceLost."""
        self._waiting += clean_text(piece)
        if self._waiting and time.monotonic() - self._spoke >= self._interval_seconds:
            self.flush()

    def flush(self) -> None:
        """Announces what waits. Raises FenceLost."""
        if not self._waiting:
            return
        run, text = self._run, self._waiting
        if not run.runtime.bus.chunk(run.session_id, run.message_id, run.token, run.attempt, self._offset, text):
            raise FenceLost
        self._offset += len(text)
        self._waiting = ""
        self._spoke = time.monotonic()
        run.runtime.failpoints.reach("generate.spoke")


def _write(run: StageRun, author: Model, question: Question) -> Answer:
    voice = _Voice(run)
    with contextlib.closing(author.stream(question, stopped=run.lost.is_set)) as pieces:
        while True:
            try:
                piece = next(pieces)
            except StopIteration as finished:
                voice.flush()
                answer: Answer = finished.value
                return answer
            except (TransientFault, StageFailed):
                # What was said before the fault belongs to the partial answer.
                voice.flush()
                raise
            voice.say(piece)


def _describe(author: Model, answer: Answer) -> None:
    span = current_stage_span()
    if span is not None:
        named = (answer.provider or author.provider, answer.model or author.name)
        span.set_attributes(model_attributes(*named, answer.usage))

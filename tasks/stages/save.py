"""save: stores the answer in the conversation; then the run is complete."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.store import conversations
from tasks.stage import Ending, Opening, Outcome, StageRun, stage

SPAN = "saving_message"


def opens(_: StageRun) -> Sequence[Opening]:
    """saving_message."""
    return [Opening(SPAN)]


@stage("save", opens=opens, reads=("generate",))
def save(run: StageRun) -> Outcome:
    """Stores the assistant's message; a second try stores nothing twice."""
    answer = run.inputs["generate"]
    conversations.save_answer(
        run.runtime.store,
        message_id=run.message_id,
        content=answer["text"],
        answer={name: value for name, value in answer.items() if name != "text"},
        confidence=answer["confidence"],
    )
    return Outcome(None, [Ending(SPAN)])

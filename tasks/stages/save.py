"""save: stores the answer in the conversation; then the run is complete."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.store import conversations
from pipeline.unified.chat_happenings import message_sent
from tasks.stage import Ending, Opening, Outcome, StageRun, stage

SPAN = "saving_message"


def opens(_: StageRun) -> Sequence[Opening]:
    """saving_message."""
    return [Opening(SPAN)]


@stage("save", opens=opens, reads=("generate",))
def save(run: StageRun) -> Outcome:
    """Stores the assistant's message; a second try stores nothing twice."""
    answer = run.inputs["generate"]
    stored = conversations.save_answer(
        run.runtime.store,
        message_id=run.message_id,
        content=answer["text"],
        answer={name: value for name, value in answer.items() if name != "text"},
        confidence=answer["confidence"],
    )
    if stored:
        sources = len(answer.get("sources") or ())
        user_id, confidence = run.audience.user_id, answer["confidence"]
        message_sent(run.runtime.events, run.session_id, run.message_id, user_id, sources, confidence)
    return Outcome(None, [Ending(SPAN)])

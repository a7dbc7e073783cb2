"""receive: reads the accepted message from the database and looks whether its session has a history."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import StageFailed
from pipeline.store import conversations
from tasks.stage import Ending, Opening, Outcome, StageRun, stage

SPAN = "message_received"


def opens(run: StageRun) -> Sequence[Opening]:
    """message_received; it stays open over the history, when there is one."""
    return [Opening(SPAN, data={"language": run.language})]


@stage("receive", opens=opens)
def receive(run: StageRun) -> Outcome:
    """Validates the message."""
    message = conversations.find_message(run.runtime.store, run.message_id)
    if message is None or message.session_id != run.session_id:
        raise StageFailed("the message is not in the database")
    if not message.content.strip():
        raise StageFailed("the message is empty")
    output = {"text": message.content, "collection": message.collection}
    if conversations.has_history(run.runtime.store, run.session_id, run.message_id):
        return Outcome(output, [], "history")
    return Outcome(output, [Ending(SPAN, {"language": run.language})], "think")

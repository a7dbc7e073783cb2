"""history: loads what was said before in the session."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.store import conversations
from tasks.stage import Ending, Opening, Outcome, StageRun, stage
from tasks.stages import receive

SPAN = "loading_history"
_TURN_LIMIT_CHARACTERS = 2_000


def opens(run: StageRun) -> Sequence[Opening]:
    """loading_history, under message_received."""
    return [Opening(SPAN, parent=receive.SPAN)]


@stage("history", opens=opens)
def history(run: StageRun) -> Outcome:
    """Loads the newest turns, oldest first, each cut to what a model needs of it."""
    limit = run.runtime.settings.history_turns_limit
    turns = [
        {"role": message.role, "text": message.content[:_TURN_LIMIT_CHARACTERS]}
        for message in conversations.history(run.runtime.store, run.session_id, run.message_id, limit)
    ]
    closes = [Ending(SPAN, {"count": len(turns)}), Ending(receive.SPAN, {"language": run.language})]
    return Outcome(turns, closes, "think")

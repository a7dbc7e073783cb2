"""think: decides what to search, and rewrites a follow-up so that it can be searched."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

from pipeline.errors import RetrievalFailed
from tasks.llm.model import Turn
from tasks.rag.plan import make_plan
from tasks.resources import retriever
from tasks.stage import Ending, Opening, Outcome, StageRun, stage

logger = logging.getLogger(__name__)
SPAN = "agent_thinking"


def opens(_: StageRun) -> Sequence[Opening]:
    """agent_thinking; it stays open over the searches."""
    return [Opening(SPAN)]


@stage("think", opens=opens, reads=("receive", "history"))
def think(run: StageRun) -> Outcome:
    """Makes the plan by rules and stores it."""
    received = run.inputs["receive"]
    turns = [Turn(**turn) for turn in run.inputs.get("history", [])]
    try:
        collections = [found.name for found in retriever(run.runtime.settings).collections()]
    except RetrievalFailed as error:
        logger.warning("the collections could not be listed: %s", error)
        collections = []
    plan = make_plan(received["text"], turns, collections, received["collection"])
    output = dataclasses.asdict(plan)
    if plan.calls:
        return Outcome(output, [], "search")
    return Outcome(output, [Ending(SPAN, {"mode": plan.mode, "searches": 0})], "generate")

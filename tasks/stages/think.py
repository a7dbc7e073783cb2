"""think: decides which tools to ask, and rewrites a follow-up so that it can be searched."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

from pipeline.errors import RetrievalFailed
from tasks import toolbox
from tasks.llm.model import Turn
from tasks.rag.plan import Plan, make_plan
from tasks.resources import retriever
from tasks.stage import Ending, Opening, Outcome, StageRun, stage

logger = logging.getLogger(__name__)
SPAN = "agent_thinking"


def opens(_: StageRun) -> Sequence[Opening]:
    """agent_thinking; it stays open over the tools."""
    return [Opening(SPAN)]


@stage("think", opens=opens, reads=("receive", "history"))
def think(run: StageRun) -> Outcome:
    """Makes the plan and stores it."""
    plan = _plan(run)
    output = dataclasses.asdict(plan)
    if plan.calls:
        return Outcome(output, [], "search")
    return Outcome(output, [Ending(SPAN, {"mode": plan.mode, "searches": 0})], "generate")


def _plan(run: StageRun) -> Plan:
    received, settings = run.inputs["receive"], run.runtime.settings
    turns = [Turn(**turn) for turn in run.inputs.get("history", [])]
    try:
        collections = [found.name for found in retriever(settings).collections()]
    except RetrievalFailed as error:
        logger.warning("the collections could not be listed: %s", error)
        collections = []
    only = received["collection"]
    plan = make_plan(received["text"], turns, collections, only)
    if plan.mode != "search":
        return plan
    asked = toolbox.asked_by_rules(settings, received["text"], [only] if only else collections)
    return dataclasses.replace(plan, calls=tuple(asked)) if asked else plan

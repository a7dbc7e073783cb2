"""think: decides which tools to ask, and rewrites a follow-up so that it can be searched."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline import catalog
from pipeline.errors import RetrievalFailed
from pipeline.tracing import current_stage_span, report_progress
from tasks import toolbox
from tasks.descriptions import described
from tasks.endpoints import planner
from tasks.llm.attributes import model_attributes
from tasks.llm.model import Turn
from tasks.rag.plan import Plan, make_plan
from tasks.rag.retriever import Collection
from tasks.resources import retriever
from tasks.stage import Ending, Opening, Outcome, StageRun, stage

if TYPE_CHECKING:
    from tasks.llm.planner import Chosen, Planner

logger = logging.getLogger(__name__)
SPAN = "agent_thinking"


def opens(_: StageRun) -> Sequence[Opening]:
    """agent_thinking; it stays open over the tools."""
    return [Opening(SPAN)]


@stage("think", opens=opens, reads=("receive", "history"))
def think(run: StageRun) -> Outcome:
    """Makes the plan and stores it, with what a model was asked for it."""
    collections = _collections(run)
    only, text = run.inputs["receive"]["collection"], run.inputs["receive"]["text"]
    names = [only] if only else [found.name for found in collections]
    plan = make_plan(text, _turns(run), names, only)
    asked: dict[str, Any] | None = None
    if plan.mode == "search":
        by_rules = toolbox.asked_by_rules(run.runtime.settings, text, names)
        chooser = planner(run.runtime.settings)
        if by_rules:
            plan = dataclasses.replace(plan, calls=tuple(by_rules))
        elif chooser is not None and plan.calls:
            plan, asked = _by_model(run, chooser, plan, collections)
    output = {**dataclasses.asdict(plan), "asked": asked}
    if plan.calls:
        return Outcome(output, [], "search")
    return Outcome(output, [Ending(SPAN, {"mode": plan.mode, "searches": 0})], "generate")


def _turns(run: StageRun) -> list[Turn]:
    return [Turn(**turn) for turn in run.inputs.get("history", [])]


def _collections(run: StageRun) -> list[Collection]:
    try:
        return retriever(run.runtime.settings).collections()
    except RetrievalFailed as error:
        logger.warning("the collections could not be listed: %s", error)
        return []


def _by_model(
    run: StageRun, chooser: Planner, plan: Plan, collections: Sequence[Collection]
) -> tuple[Plan, dict[str, Any] | None]:
    """The plan with the calls that a model chose, or as the rules made it; and what the request was and counted."""
    chosen = _chosen(run, chooser, plan, collections)
    if chosen.calls:
        plan = dataclasses.replace(plan, calls=chosen.calls, planner="model")
    else:
        logger.warning("a model chose no tools: %s", chosen.why_not)
        report_progress({"planner": "rules", "reason": chosen.why_not}, catalog.note("plan_by_rules", run.language))
    if not chosen.model:
        return plan, None
    attributes = model_attributes(chosen.provider, chosen.model, chosen.usage)
    if (span := current_stage_span()) is not None:
        span.set_attributes(attributes)
    return plan, {"attributes": attributes, "usage": None if chosen.usage is None else chosen.usage.to_dict()}


def _chosen(run: StageRun, chooser: Planner, plan: Plan, collections: Sequence[Collection]) -> Chosen:
    from tasks.llm.planner import Asking, Chosen

    settings = run.runtime.settings
    wanted = {call.collection for call in plan.calls}
    try:
        about = described(settings, [found for found in collections if found.name in wanted])
    except RetrievalFailed as error:
        logger.warning("the collections could not be described: %s", error)
        return Chosen(why_not="unavailable")
    if not about:
        return Chosen(why_not="unavailable")
    tools = list(toolbox.tools(settings).values())
    asking = Asking(run.inputs["receive"]["text"], _turns(run), run.language, about, tools)
    return chooser.choose(asking, run.lost.is_set)

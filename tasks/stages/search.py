"""search: asks each planned tool at once, each in a span of its own, and fuses what they give by rank."""

from __future__ import annotations

import contextvars
import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import orjson

from pipeline import catalog_texts
from pipeline.catalog import language_of
from pipeline.errors import FenceLost, RetrievalFailed
from pipeline.event import Status
from pipeline.tracing import use_stage_span
from tasks import toolbox
from tasks.rag.fusion import fuse
from tasks.rag.plan import SEARCH, Call, keyed
from tasks.rag.retriever import Found, Passage
from tasks.stage import Ending, Opening, Outcome, StageRun, stage
from tasks.stages import think
from tasks.tool import Gave, ToolRun

logger = logging.getLogger(__name__)
_THREADS_LIMIT = 8


def opens(run: StageRun) -> Sequence[Opening]:
    """One span for each call of a tool, under agent_thinking."""
    openings = []
    for key, call in _calls(run).items():
        event_type, _, word = key.partition("/")
        openings.append(Opening(event_type, word, think.SPAN, _visible(run, call)))
    return openings


@stage("search", opens=opens, reads=("receive", "think"))
def search(run: StageRun) -> Outcome:
    """Asks in parallel; a tool that fails is a failed span, and the answer goes on without it."""
    calls = _calls(run)
    gave = _given_before(run, calls)
    left = {key: call for key, call in calls.items() if key not in gave}
    if left:
        gave |= _ask_all(run, left)
    results = [_gave(gave[key]) for key in calls if gave[key] is not None]
    fused = fuse([Found(one.passages, one.confidence) for one in results], run.runtime.settings.passages_limit)
    output = {
        "passages": [passage.to_dict() for passage in fused.passages],
        "confidence": fused.confidence,
        "search_failed": not results,
        "statements": _statements(calls, gave),
    }
    searches = sum(call.tool == SEARCH for call in calls.values())
    data: dict[str, Any] = {"mode": "search", "searches": searches}
    if searches < len(calls):
        data["tools"] = sorted({call.tool for call in calls.values()} - {SEARCH})
    if (planner := run.inputs["think"].get("planner", "rules")) != "rules":
        data["planner"] = planner
    asked = run.inputs["think"].get("asked") or {}
    return Outcome(output, [Ending(think.SPAN, data, asked.get("attributes"))], "generate")


def _calls(run: StageRun) -> dict[str, Call]:
    return keyed([Call(**call) for call in run.inputs["think"]["calls"]])


def _visible(run: StageRun, call: Call) -> dict[str, Any]:
    return toolbox.find(run.runtime.settings, call.tool).visible(call.given())


def _given_before(run: StageRun, calls: Mapping[str, Call]) -> dict[str, Any]:
    """What tools gave to an earlier try that was lost: their spans are closed, they are not asked again."""
    if run.attempt == 1:
        return {}
    raw = run.runtime.bus.run_fields(run.message_id, [f"out:{key}" for key in calls])
    return {key: orjson.loads(value)["found"] for key, value in zip(calls, raw, strict=True) if value}


def _ask_all(run: StageRun, calls: Mapping[str, Call]) -> dict[str, Any]:
    limit_seconds = run.runtime.settings.search_timeout_seconds
    deadline = time.monotonic() + limit_seconds
    pool = ThreadPoolExecutor(min(len(calls), _THREADS_LIMIT), "search")
    try:
        futures: dict[str, Future[Any]] = {
            key: pool.submit(contextvars.copy_context().run, _ask_one, run, key, call) for key, call in calls.items()
        }
        gave = {}
        for key, future in futures.items():
            try:
                gave[key] = future.result(max(0.0, deadline - time.monotonic()))
            except FutureTimeoutError:
                _fail(run, key, calls[key], "timeout")
                gave[key] = None
        return gave
    finally:
        # Not waiting: a tool that hangs would hold the stage; what it says later finds its span closed.
        pool.shutdown(wait=False, cancel_futures=True)


def _ask_one(run: StageRun, key: str, call: Call) -> Any:
    span, visible = run.spans[key], _visible(run, call)
    with use_stage_span(span, run.context):
        gave = _work(run, key, call)
        if gave is None:
            return None
        run.runtime.failpoints.reach("search.found")
        if gave.words_alone:
            told = catalog_texts.WORDS_ALONE[language_of(run.language)]
            span.progress({**visible, "words_alone": True}, told)
        data = {**visible, **gave.data}
        if gave.passages and toolbox.find(run.runtime.settings, call.tool).tells_count:
            span.progress(data)
        kept = {
            "passages": [passage.to_dict() for passage in gave.passages],
            "confidence": gave.confidence,
            "statement": gave.statement,
        }
        run.close(key, Status.COMPLETED, data, {"found": kept})
        return kept


def _work(run: StageRun, key: str, call: Call) -> Gave | None:
    """What the tool gives; None when it failed, and its span with it. Raises FenceLost."""
    settings = run.runtime.settings
    asking = ToolRun(settings, run.inputs["receive"]["text"], run.language)
    try:
        run.runtime.failpoints.reach(f"search.{call.collection}" if call.tool == SEARCH else key, RetrievalFailed)
        gave = toolbox.find(settings, call.tool).work(asking, **call.given())
        if not isinstance(gave, Gave):
            raise TypeError(f"the tool {call.tool} gave a {type(gave).__name__}, not a Gave")
        return gave
    except FenceLost:
        raise
    except RetrievalFailed as error:
        logger.warning("%s could not be asked: %s", key, error)
        _fail(run, key, call, "unavailable")
    except Exception:
        logger.exception("the tool %s broke", call.tool)
        _fail(run, key, call, "error")
    return None


def _fail(run: StageRun, key: str, call: Call, error: str) -> None:
    run.close(key, Status.FAILED, {**_visible(run, call), "error": error}, {"found": None})


def _gave(kept: Mapping[str, Any]) -> Gave:
    passages = tuple(Passage.from_dict(passage) for passage in kept["passages"])
    # A try before an update of the program may have kept no statement.
    return Gave(passages, kept["confidence"], kept.get("statement", ""))


def _statements(calls: Mapping[str, Call], gave: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What tools stated, as passages that no document holds; the title is the tool's name."""
    stated = {key: kept["statement"] for key, kept in gave.items() if kept and kept.get("statement")}
    return [
        dataclasses.asdict(
            Passage(key, calls[key].collection, calls[key].tool, "", "", "", stated[key], 0, len(stated[key]))
        )
        for key in calls
        if key in stated
    ]

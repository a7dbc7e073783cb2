"""search: asks each planned collection at once, each in a span of its own, and fuses what they give by rank."""

from __future__ import annotations

import contextvars
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import orjson

from pipeline import catalog_texts
from pipeline.catalog import language_of
from pipeline.errors import RetrievalFailed
from pipeline.event import Status
from pipeline.tracing import use_stage_span
from tasks.rag.fusion import fuse
from tasks.rag.retriever import Found, Passage
from tasks.resources import retriever
from tasks.stage import Ending, Opening, Outcome, StageRun, stage
from tasks.stages import think

logger = logging.getLogger(__name__)
SPAN = "tool_search_documents"
_THREADS_LIMIT = 8


def opens(run: StageRun) -> Sequence[Opening]:
    """One tool_search_documents for each collection, under agent_thinking."""
    calls = run.inputs["think"]["calls"]
    return [Opening(SPAN, call["collection"], think.SPAN, {"collection": call["collection"]}) for call in calls]


@stage("search", opens=opens, reads=("think",))
def search(run: StageRun) -> Outcome:
    """Searches in parallel; a collection that fails is a failed span, and the answer goes on without it."""
    calls = run.inputs["think"]["calls"]
    gave = _given_before(run, calls)
    left = [call for call in calls if call["collection"] not in gave]
    if left:
        gave |= _search_all(run, left)
    results = [_found(gave[call["collection"]]) for call in calls if gave[call["collection"]] is not None]
    fused = fuse(results, run.runtime.settings.passages_limit)
    output = {
        "passages": [passage.to_dict() for passage in fused.passages],
        "confidence": fused.confidence,
        "search_failed": not results,
    }
    return Outcome(output, [Ending(think.SPAN, {"mode": "search", "searches": len(calls)})], "generate")


def _given_before(run: StageRun, calls: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What collections gave to an earlier try that was lost: their spans are closed, they are not asked again."""
    if run.attempt == 1:
        return {}
    names = [call["collection"] for call in calls]
    raw = run.runtime.bus.run_fields(run.message_id, [f"out:{SPAN}/{name}" for name in names])
    return {name: orjson.loads(value)["found"] for name, value in zip(names, raw, strict=True) if value}


def _search_all(run: StageRun, calls: Sequence[dict[str, str]]) -> dict[str, Any]:
    limit_seconds = run.runtime.settings.search_timeout_seconds
    deadline = time.monotonic() + limit_seconds
    pool = ThreadPoolExecutor(min(len(calls), _THREADS_LIMIT), "search")
    try:
        futures: dict[str, Future[Any]] = {
            call["collection"]: pool.submit(contextvars.copy_context().run, _search_one, run, call) for call in calls
        }
        gave = {}
        for collection, future in futures.items():
            try:
                gave[collection] = future.result(max(0.0, deadline - time.monotonic()))
            except FutureTimeoutError:
                _fail(run, collection, "timeout")
                gave[collection] = None
        return gave
    finally:
        # Not waiting: a search that hangs would hold the stage; what it says later finds its span closed.
        pool.shutdown(wait=False, cancel_futures=True)


def _search_one(run: StageRun, call: dict[str, str]) -> Any:
    collection = call["collection"]
    span = run.spans[f"{SPAN}/{collection}"]
    with use_stage_span(span, run.context):
        try:
            run.runtime.failpoints.reach(f"search.{collection}", RetrievalFailed)
            found = retriever(run.runtime.settings).search(
                collection, call["query"], run.runtime.settings.passages_limit * 2
            )
        except RetrievalFailed as error:
            logger.warning("collection %s could not be searched: %s", collection, error)
            _fail(run, collection, "unavailable")
            return None
        count = len(found.passages)
        run.runtime.failpoints.reach("search.found")
        if found.words_alone:
            told = catalog_texts.WORDS_ALONE[language_of(run.language)]
            span.progress({"collection": collection, "words_alone": True}, told)
        if count:
            span.progress({"collection": collection, "count": count})
        gave = {"passages": [p.to_dict() for p in found.passages], "confidence": found.confidence}
        run.close(span.name, Status.COMPLETED, {"collection": collection, "count": count}, {"found": gave})
        return gave


def _fail(run: StageRun, collection: str, error: str) -> None:
    run.close(f"{SPAN}/{collection}", Status.FAILED, {"collection": collection, "error": error}, {"found": None})


def _found(gave: dict[str, Any]) -> Found:
    return Found(tuple(Passage.from_dict(p) for p in gave["passages"]), gave["confidence"])

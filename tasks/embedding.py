"""The task that computes the embeddings which chunks lack, some seconds at a time, and how it is asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from typing import Any

from celery import Task

from pipeline.errors import BusUnavailable, EmbeddingsFailed
from pipeline.store import leases
from tasks.broker import broker
from tasks.celery import app
from tasks.jobs import tell
from tasks.rag.embedding import Embedding, Pass
from tasks.resources import document_index, embedder, vectors
from tasks.runtime import runtime

logger = logging.getLogger(__name__)
TASK = "spanfeed.embed"
_QUEUE = "spanfeed.maintenance"
_LEASE = "embeddings"
_TELL_SECONDS = 1.0
_MARGIN_SECONDS = 10.0


@app.task(name=TASK, bind=True, ignore_result=True)
def embed(self: Task, done: dict[str, Any] | None = None) -> dict[str, int]:
    """Goes on with a pass over all chunks, and sends itself again until the pass is done.

    One at a time does this; where another one does, nothing is done. When the endpoint fails, so does the task; the
    next one, which beat asks for, goes on where chunks lack their embedding.
    """
    resources = runtime()
    settings = resources.settings
    # Longer than the batch that may have begun just before the time was over.
    held_seconds = settings.embeddings_task_seconds + settings.embeddings_timeout_seconds + _MARGIN_SECONDS
    if not settings.embeddings_base_url or not leases.take(resources.store, _LEASE, self.request.id, held_seconds):
        return {"skipped": 1}
    state = Pass(**(done or {}))
    try:
        _pass().run(state, settings.embeddings_task_seconds, _Teller(self).told)
    except EmbeddingsFailed as error:
        logger.warning("embeddings are not complete: %s", error)
        raise
    finally:
        leases.give_back(resources.store, _LEASE, self.request.id)
    if not state.done:
        send(state)
    return {"embedded": state.embedded, "removed": state.removed, "left": int(not state.done)}


def send(state: Pass | None = None) -> None:
    """Has a worker compute embeddings, from the beginning or from where a pass is. Raises BusUnavailable."""
    arguments = [] if state is None else [dataclasses.asdict(state)]
    broker().publish(TASK, args=arguments, queue=_QUEUE)


def soon() -> None:
    """As `send`; a broker that does not answer is no fault, since beat asks later."""
    with contextlib.suppress(BusUnavailable):
        send()


def _pass() -> Embedding:
    settings = runtime().settings
    return Embedding(
        document_index(settings),
        vectors(settings),
        embedder(settings),
        settings.embeddings_model,
        settings.embeddings_batch_chunks,
    )


class _Teller:
    """Tells operators how far it is, once a second at most."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._told_at = 0.0
        self._chunks: int | None = None

    def told(self, state: Pass) -> None:
        now = time.monotonic()
        if now - self._told_at < _TELL_SECONDS:
            return
        self._told_at = now
        if self._chunks is None:
            counted = document_index(runtime().settings).collections()
            self._chunks = max(1, sum(collection.chunks for collection in counted))
        percent = min(100, 100 * max(state.looked_at, state.embedded) // self._chunks)
        said: dict[str, Any] = {"progress": percent, "embedded": state.embedded, "chunks": self._chunks}
        tell("progress", self._task, self._task.request.id, **said)

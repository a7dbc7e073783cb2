"""Embeddings in a running Spanfeed: computed behind a command, searched by the stage, missed when they are away."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pipeline.store.vectors import VectorTable
from tests.parts.stack import Stack
from tests.parts.waiting import wait_for
from tests.rag.conftest import PAGES, write_pages
from tests.stand_in import StandIn

CHUNKS = 11


def logged(stack: Stack, kind: str) -> list[dict[str, Any]]:
    """The data of all events of the kind, in the log's order."""
    entries = stack.redis.client().xrange("sf:{0}:log")
    events = [json.loads(fields[b"e"]) for _, fields in entries]
    return [event["event_data"] for event in events if event["event_type"] == kind]


def searched(stack: Stack, session_id: str, message: str) -> list[dict[str, Any]]:
    """The search's events that tell of progress, for a message."""
    assert stack.ask(message, session_id).status_code == 200
    events = [event for event in stack.events(session_id) if event["event_type"] == "tool_search_documents"]
    assert events[-1]["event_status"] == "completed"
    return [event for event in events if event["event_status"] == "progress"]


def test_added_documents_are_embedded_and_searched_by_meaning(make_stack: Callable[..., Stack]) -> None:
    """Without this a user's documents would never be found by their meaning, or only while a second server answers."""
    with StandIn() as stand_in:
        stack = make_stack(
            SPANFEED_EMBEDDINGS_BASE_URL=stand_in.base_url,
            SPANFEED_EMBEDDINGS_MODEL="stand-in",
            SPANFEED_EMBEDDINGS_BATCH_CHUNKS="4",
            SPANFEED_EMBEDDINGS_QUERY_TIMEOUT_MS="10000",
            # Each batch is a task of its own, which sends the next.
            SPANFEED_EMBEDDINGS_TASK_SECONDS="0",
        ).start(recorder=False)
        folder = write_pages(stack.home / "pages", PAGES)
        stack.command("documents", "add", str(folder), "--collection", "pages")
        table = VectorTable(stack.store, "stand-in", 100)
        wait_for(lambda: len(table.numbers()) == CHUNKS, "all embeddings", 60)
        wait_for(lambda: any(not said["result"]["left"] for said in logged(stack, "job.completed")), "the end", 60)
        told = [said for said in logged(stack, "job.progress") if said["job_name"] == "spanfeed.embed"]
        assert told[-1]["chunks"] == CHUNKS
        assert [said["progress"] for said in told] == sorted(said["progress"] for said in told)
        assert len(logged(stack, "job.completed")) >= 3
        (found,) = searched(stack, "s-1", "vacation holiday")
        assert found["event_data"]["count"] > 0
        stand_in.script(fail_first=99)
        alone, found = searched(stack, "s-2", "How do I turn off slow mode?")
        assert alone["event_data"]["words_alone"] is True
        assert alone["user_message"] == "📄 Searching by words alone..."
        assert found["event_data"]["count"] > 0

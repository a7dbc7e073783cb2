"""A whole Spanfeed tells of its documents, jobs, answers and its own state: once each, to whom they are meant for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.bus import Bus, open_bus
from pipeline.store import audit, exporting
from tests.parts.redis_part import RedisPart
from tests.parts.stack import KEY, ROOT, Stack
from tests.parts.waiting import wait_for
from tests.rag.files import lines, pdf
from web.monitoring import Monitor

SECRET = "sf_S3cretPartS3cretPartS3cretPart"
_JOBS = f"""
import time
from celery.exceptions import SoftTimeLimitExceeded
from tasks.celery import app

@app.task(name="own.weigh", bind=True, max_retries=1, default_retry_delay=0, soft_time_limit=4, time_limit=5)
def weigh(self, what):
    if what == "failing" or (what == "retried" and not self.request.retries):
        error = ValueError("the secret is {SECRET}")
        raise error if what == "failing" else self.retry(exc=error)
    while what == "hanging":
        try:
            time.sleep(60)
        except SoftTimeLimitExceeded:
            pass
    return {{"grams": 5, "label": "{SECRET}"}}
"""
_SEND = """
from own_jobs import app, weigh
for what in ("fine", "failing", "retried", "hanging"):
    print(weigh.delay(what).id)
print(app.send_task("spanfeed.cleanup").id)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Spanfeed whose worker has jobs of its own besides the stages."""
    folder = tmp_path_factory.mktemp("told")
    part = RedisPart(folder / "redis")
    (folder / "own_jobs.py").write_text(_JOBS, encoding="utf-8")
    made = Stack(folder / "home", part, PYTHONPATH=str(folder), SPANFEED_RELAYS="0")
    options = ["--without-mingle", "--without-gossip", "--concurrency=2", "--hostname=worker@%h", "--loglevel=INFO"]
    made.spawn("worker", "celery", "-A", "own_jobs", "worker", *options)
    made.start(worker=False)
    made.wait_worker("worker")
    yield made
    made.close()
    part.stop(kill=True)


@pytest.fixture(scope="module")
def bus(stack: Stack) -> Iterator[Bus]:
    """A bus beside the processes."""
    opened = open_bus(stack.settings())
    yield opened
    opened.close_connections()


def stored(stack: Stack) -> list[dict[str, Any]]:
    """All events that are stored, oldest first."""
    events = exporting.stored_events(stack.store, 0, None, exporting.Chosen(None, None, ()))
    return [orjson.loads(event.wire) for event in events]


def told(stack: Stack, prefix: str) -> list[dict[str, Any]]:
    """The stored events of these types."""
    return [event for event in stored(stack) if event["event_type"].startswith(prefix)]


def brief(events: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Type and whom it is for."""
    return [(event["event_type"], event["metadata"]["audience"]) for event in events]


def test_an_answer_is_told_to_its_user_and_the_session_sees_its_stages_alone(stack: Stack) -> None:
    """Without this a user would not learn on another page that the answer is there; or would read all of it twice."""
    session_id = str(uuid.uuid4())
    assert stack.ask("Hello!", session_id, user_id="anna").status_code == 200
    stack.settled()
    [sent] = told(stack, "message.sent")
    assert (sent["session_id"], sent["user_id"], sent["seq"]) == (session_id, "anna", None)
    assert sent["metadata"]["audience"] == "person"
    assert {"message_id", "sources", "confidence"} <= sent["event_data"].keys()
    assert not [e for e in stack.events(session_id) if "." in e["event_type"]]


def test_every_job_tells_once_that_it_began_and_how_it_ended(stack: Stack) -> None:
    """Without this an operator would learn of a cleanup that fails each night when the disk is full."""
    environment = {**os.environ, **stack.environment}
    sent = subprocess.run([sys.executable, "-c", _SEND], env=environment, cwd=ROOT, capture_output=True, timeout=60)
    assert sent.returncode == 0, sent.stderr.decode()
    fine, failing, retried, hanging, cleanup = sent.stdout.decode().split()
    ended = ("job.completed", "job.failed")
    wait_for(lambda: len([e for e in told(stack, "job.") if e["event_type"] in ended]) == 5, "five endings", 60)
    events = told(stack, "job.")
    found = {
        one: [e["event_type"] for e in events if e["event_data"]["job_id"] == one]
        for one in sent.stdout.decode().split()
    }
    assert found == {
        fine: ["job.started", "job.completed"],
        failing: ["job.started", "job.failed"],
        retried: ["job.started", "job.retried", "job.completed"],
        hanging: ["job.started", "job.failed"],
        cleanup: ["job.started", "job.completed"],
    }
    assert {e["metadata"]["audience"] for e in events} == {"operator"}
    said = {(e["event_type"], e["event_data"]["job_id"]): e["event_data"] for e in events}
    assert said["job.completed", fine]["result"] == {"grams": 5}
    assert said["job.failed", failing]["error"] == "ValueError"
    assert said["job.failed", hanging]["error"] == "TimeLimitExceeded"
    assert SECRET not in json.dumps(stored(stack))
    [entry] = [e for e in audit.entries(stack.store) if e.action == "events.cleanup"]
    assert (entry.actor, entry.outcome, json.loads(entry.details)["deleted"]) == ("task:spanfeed.cleanup", "done", 0)
    assert [e["event_data"]["entry"] for e in told(stack, "events.cleanup")] == [entry.number]


def test_documents_are_told_from_begin_to_end(stack: Stack, tmp_path: Path) -> None:
    """Without this somebody who waits for a document would ask for it again and again."""
    (tmp_path / "a.md").write_text("# Zebras\n\nThe blue zebra eats turnips.\n", encoding="utf-8")
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    (tmp_path / "c.pdf").write_bytes(pdf([lines("The zebra sleeps."), lines("It wakes at nine.")]))
    for _ in range(2):
        stack.command("documents", "add", str(tmp_path), "--collection", "z")
    (tmp_path / "a.md").write_text("# Zebras\n\nThe green zebra eats nothing.\n", encoding="utf-8")
    stack.command("documents", "add", str(tmp_path / "a.md"), "--collection", "z")
    stack.settled()
    events = told(stack, "document.")
    of_a = [e for e in events if e["event_data"]["document_id"] == "z/a.md"]
    once = ["uploaded", "processing_started", "processing_progress", "processing_completed"]
    # The second time it is the same: nothing is told of it.
    assert brief(of_a) == [(f"document.{what}", "everyone") for what in once * 2]
    assert [e["event_data"]["outcome"] for e in of_a if "outcome" in e["event_data"]] == ["added", "replaced"]
    assert of_a[3]["event_data"]["chunks_created"] == 1
    of_c = [e["event_data"] for e in events if e["event_data"]["document_id"] == "z/c.pdf"]
    read = [(e["progress"], e["page"], e["pages"]) for e in of_c if e.get("current_step") == "reading"]
    assert (read, len(of_c)) == ([(25, 1, 2), (50, 2, 2)], 6)
    of_b = [e["event_type"] for e in events if e["event_data"]["document_id"] == "z/b.png"]
    assert of_b == ["document.uploaded", "document.processing_started", "document.processing_failed"] * 2


def test_the_system_is_told_once_an_interval_by_one_process(stack: Stack, bus: Bus) -> None:
    """Without this nobody would see that no worker is left; or would see it as often as there are processes."""
    settings = stack.settings().__class__(
        **{**vars(stack.settings()), "monitoring_interval_seconds": 60.0, "worker_silence_seconds": 60.0}
    )
    monitors = [Monitor(settings, bus) for _ in range(3)]
    wait_for(lambda: bus.workers(60), "a worker that says that it lives", 30)
    assert [monitor.look() for monitor in monitors].count(True) == 1
    stack.settled()
    [event] = told(stack, "system.status")
    data = event["event_data"]
    assert (event["category"], event["metadata"]["audience"], data["status"]) == ("monitoring", "operator", "ok")
    assert data["workers"]["alive"] == 1
    assert data["recorder"]["waiting_events"] >= 0
    assert set(data["queues"]) >= {"spanfeed.receive", "spanfeed.maintenance"}
    assert data["redis"]["memory_bytes"] > 100_000
    assert data["relays"] == {"expected": 0, "answering": 0, "open_feeds": 0, "deliveries": 0, "feeds_behind": 0}
    assert KEY not in json.dumps(event)


def test_a_worker_that_is_gone_is_counted_no_more(stack: Stack, bus: Bus) -> None:
    """Without this the last worker could be gone for days, and the system be called well."""
    bus.say_present("worker@gone")
    assert "worker@gone" in bus.workers(60)
    assert bus.workers(0.0) == []
    silent = stack.settings().__class__(**{**vars(stack.settings()), "worker_silence_seconds": 0.0})
    assert Monitor(silent, bus).figures()["troubles"] == ["no_worker"]

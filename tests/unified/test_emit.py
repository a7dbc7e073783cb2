"""Emitting unified events: from every kind of program, in order, never raising, with the seed's defaults."""

from __future__ import annotations

import asyncio
import inspect
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import pipeline.unified as unified
from pipeline.event import DATA_LIMIT_BYTES, METADATA_LIMIT_BYTES
from pipeline.settings import Settings
from pipeline.unified import (
    EventCategory,
    EventPriority,
    EventType,
    UnifiedEvent,
    emit_analytics_event,
    emit_audit_event,
    emit_event,
    emit_experiment_exposure,
    emit_realtime_event,
    emit_security_event,
    emit_streaming_event,
    emit_system_alert,
    event_router,
    get_event_stats,
    get_health_status,
    initialize_event_system,
    is_initialized,
    shutdown_event_system,
    sse_service,
    trigger_document_uploaded,
    unified_event_manager,
)
from tests.parts.redis_part import RedisPart
from tests.parts.stack import ROOT
from tests.parts.waiting import wait_for

Read = Callable[[], list[dict[str, Any]]]


def test_the_seeds_snippets_run_as_written(log: Read) -> None:
    """Without this a program of the second seed would need more changes than its import line."""

    async def program() -> None:
        await initialize_event_system()
        await emit_realtime_event("document.uploaded", {"document_id": "123"})
        await emit_security_event(
            "auth.login_failure", {"ip": "192.168.1.1", "attempts": 5}, priority=EventPriority.HIGH
        )
        await emit_audit_event("provider.delete", {"provider_id": "prov_456", "result": "success"}, user_id="admin_789")
        await sse_service.trigger_event(EventType.DOCUMENT_UPLOADED, {"document_id": "123"}, user_id="user_456")
        await trigger_document_uploaded("doc_123", "file.pdf", "user_456")
        await unified.emit_login_event(
            success=False, user_id="user_123", ip_address="192.168.1.1", details={"reason": "invalid_password"}
        )
        await unified.emit_resource_audit(
            action="delete", resource_type="model", resource_id="model_123", success=True, user_id="admin_456"
        )
        await shutdown_event_system()

    asyncio.run(program())
    assert [event["event_type"] for event in log() if event["metadata"]["audience"] != "record"] == [
        "document.uploaded",
        "auth.login_failure",
        "provider.delete",
        "document.uploaded",
        "document.uploaded",
        "auth.login_failure",
        "model.delete",
    ]
    assert log()[-1]["event_data"]["model_id"] == "model_123"


def test_a_plain_call_emits_too(log: Read) -> None:
    """Without this a Flask view or a Celery task would have to start an event loop for each event."""
    found = emit_realtime_event("document.uploaded", {"n": 1}, user_id="u-1")
    assert found
    assert found.ok
    assert found.error is None
    (event,) = log()
    assert event["id"] == found.log_id
    assert event["metadata"]["unified_event_id"] == found.event_id == str(found)
    assert event["user_message"] == "📄 Document uploaded"


def test_defaults_are_the_seeds(log: Read) -> None:
    """Without this an alert on high events would miss failed audits, or wake somebody for analytics."""
    emit_security_event("auth.login_failure", {})
    emit_analytics_event("experiment.seen", {})
    emit_audit_event("model.delete", {"success": False})
    emit_audit_event("model.delete", {"success": True})
    emit_streaming_event("chat.message_chunk", {"chunk": "a"}, session_id="s-1")
    emit_realtime_event("job.started", {})
    emit_system_alert("full", "critical")
    found = [(e["category"], e["priority"], e["source_system"]) for e in log() if e["metadata"]["audience"] != "record"]
    assert found == [
        ("security", "high", "monitoring"),
        ("analytics", "low", "analytics"),
        ("audit", "high", "audit"),
        ("audit", "normal", "audit"),
        ("streaming", "normal", "streaming"),
        ("realtime", "normal", "sse"),
        ("monitoring", "critical", "monitoring"),
    ]


def test_every_trigger_sends_its_own_type_and_data(log: Read) -> None:
    """Without this a helper could end as the original's did: as a system alert that says it failed."""
    helpers = {name: getattr(unified, name) for name in unified.__all__ if name.startswith("trigger_")}
    assert len(helpers) >= 17
    for helper in helpers.values():
        given = {
            name: {"progress": 40.0, "result": {"chunks": 3}, "details": {"a": 1}}.get(name, f"the {name}")
            for name in inspect.signature(helper).parameters
        }
        assert helper(**given), helper
    events = {event["event_type"]: event for event in log()}
    for name in helpers:
        group, _, what = name.removeprefix("trigger_").rpartition("_")
        found = [t for t in events if t.replace(".", "_") == f"{group}_{what}"]
        assert len(found) == 1, name
        assert events[found[0]]["user_id"] == "the user_id"
    progress = events["document.processing_progress"]["event_data"]
    assert (progress["progress"], progress["progress_percent"], progress["current_step"]) == (
        40,
        40,
        "the current_step",
    )
    assert "updated_at" in progress
    assert events["document.processing_started"]["event_data"]["started_at"].endswith("Z")
    assert events["backup.failed"]["event_data"]["failed_at"].endswith("Z")
    assert events["job.completed"]["event_data"]["completed_at"].endswith("Z")


@pytest.mark.parametrize(
    ("event_type", "data", "fields"),
    [
        ("bad type!", {}, {}),
        ("x" * 101, {}, {}),
        ("response_generation", {}, {}),
        ("error", {}, {}),
        ("ok.type", [1], {}),
        ("ok.type", {"x": "y" * DATA_LIMIT_BYTES}, {}),
        ("ok.type", {}, {"metadata": {"x": "y" * METADATA_LIMIT_BYTES}}),
        ("ok.type", {}, {"priority": "urgent"}),
        ("ok.type", {}, {"audience": "nobody"}),
        ("ok.type", {}, {"user_id": "u" * 129}),
        ("ok.type", {}, {"user_id": 7}),
        ("ok.type", {}, {"user_id": "a\nb"}),
        ("ok.type", {}, {"session_id": "no spaces"}),
        ("ok.type", {}, {"id": ""}),
        ("ok.type", {}, {"unheard_of": 1}),
    ],
)
def test_what_is_wrong_is_returned_and_logged_never_raised(
    log: Read, caplog: pytest.LogCaptureFixture, event_type: str, data: Any, fields: dict[str, Any]
) -> None:
    """Without this a bad event would break the program that emits it, or vanish without a word."""
    with caplog.at_level(logging.WARNING):
        found = emit_realtime_event(event_type, data, **fields)
    assert not found
    assert found.error
    assert log() == []
    (record,) = caplog.records
    assert "was not emitted" in record.message
    assert "\n" not in record.message
    assert get_event_stats()["errors"] >= 1


def test_values_that_json_does_not_know_do_not_lose_the_event(log: Read) -> None:
    """Without this one date in the data would cost the whole event."""
    assert emit_realtime_event("ok.type", {"path": Path("a/b"), "nan": float("nan"), "nul": "a\x00b"})
    assert log()[0]["event_data"] == {"path": "a/b", "nan": None, "nul": "ab"}


def test_the_same_event_is_written_once(log: Read) -> None:
    """Without this a retry after a lost answer would tell users everything twice."""
    event = UnifiedEvent(EventCategory.SECURITY, "auth.login_failure", data={"n": 1})
    first, second = emit_event(event), emit_event(event)
    assert first.log_id == second.log_id
    assert len(log()) == 2
    assert {e["category"] for e in log()} == {"security", "audit"}


def test_an_emitter_cannot_write_what_the_system_writes(log: Read) -> None:
    """Without this an emitter could forge where an event comes from, or who has seen it."""
    emit_realtime_event("ok.type", {}, metadata={"origin": "x", "audience": "y", "notification": True, "mine": 1})
    metadata = log()[0]["metadata"]
    assert metadata["mine"] == 1
    assert "origin" not in metadata
    assert "notification" not in metadata
    assert metadata["audience"] == "everyone"


def test_an_event_survives_the_way_to_a_dict_and_back() -> None:
    """Without this an event could not be kept or sent by a program's own means."""
    event = UnifiedEvent("security", "auth.login_failure", data={"a": [1]}, user_id="u", correlation_id="c")
    assert event.priority is EventPriority.HIGH
    assert UnifiedEvent.from_dict(event.to_dict()) == event


def test_a_burst_arrives_whole_and_in_order(log: Read) -> None:
    """Without this a busy minute would lose what the original lost: nearly everything."""
    results = [emit_realtime_event("job.progress", {"n": number}, user_id="u-1") for number in range(3_000)]
    assert all(results)
    assert [event["event_data"]["n"] for event in log()] == list(range(3_000))


def test_threads_and_loops_emit_beside_each_other(log: Read) -> None:
    """Without this two threads could spoil each other's events."""

    async def many() -> None:
        await asyncio.gather(*(_one(n) for n in range(50)))

    async def _one(n: int) -> None:
        assert await emit_realtime_event("from.loop", {"n": n})

    threads = [
        threading.Thread(target=lambda: [emit_realtime_event("from.thread", {}) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    asyncio.run(many())
    for thread in threads:
        thread.join(30)
    assert len(log()) == 250


def test_a_flask_request_emits(log: Read) -> None:
    """Without this a web application could not tell what its users do."""
    app = Flask("probe")
    app.add_url_rule("/", view_func=lambda: {"ok": bool(emit_realtime_event("from.flask", {}))})
    assert app.test_client().get("/").json == {"ok": True}
    assert [event["event_type"] for event in log()] == ["from.flask"]


def _emit_in_child() -> None:
    os._exit(0 if emit_realtime_event("from.child", {}) and _handled_in_child() else 1)


def _handled_in_child() -> bool:
    seen: list[str] = []
    event_router.add_type_handler("from.*", lambda event: seen.append(event.event_type))
    emit_realtime_event("from.child", {"second": True})
    return event_router.drain(30) and seen == ["from.child"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_emits(log: Read) -> None:
    """Without this the events of a prefork worker's children would hang or be lost."""
    event_router.add_type_handler("from.parent", lambda _: None)
    emit_realtime_event("from.parent", {})
    child = multiprocessing.get_context("fork").Process(target=_emit_in_child)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert [event["event_type"] for event in log()] == ["from.parent", "from.child", "from.child"]


# A line in one piece each: print() writes its words and the line's end one by one, and two threads write here.
_SCRIPT = """
import sys
from pipeline.unified import emit_realtime_event, event_router
event_router.add_type_handler("from.*", lambda event: sys.stdout.write(f"handled {event.event_type}\\n"))
sys.stdout.write(f"{bool(emit_realtime_event('from.script', {'a': 1}))}\\n")
"""


def test_a_plain_script_emits_and_its_handlers_finish(log: Read, environment: dict[str, str]) -> None:
    """Without this a cron job's last events, or their handlers, would be cut off by its end."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split("\n")[:2] in (["True", "handled from.script"], ["handled from.script", "True"])
    assert [event["event_type"] for event in log()] == ["from.script"]


def test_while_redis_is_away_events_wait_and_health_says_so(tmp_path: Path) -> None:
    """Without this a restart of Redis would lose events, or hold up whoever emits."""
    part = RedisPart(tmp_path / "redis")
    settings = {"REDIS_URL": part.url, "SPANFEED_HOME": str(tmp_path), "SPANFEED_EMIT_DEADLINE_MS": "500"}
    from pipeline.settings import load

    initialize_event_system(load(settings))
    part.stop()
    found = emit_realtime_event("job.started", {"job_name": "x"})
    assert found.ok
    assert found.kept
    assert found.log_id is None
    assert get_health_status()["status"] == "degraded"
    part.start()
    with part.client() as client:
        wait_for(lambda: client.xlen("sf:{0}:log") == 1, "the event in the log", 60)
    wait_for(lambda: get_health_status()["status"] == "healthy", "health")
    shutdown_event_system()
    part.stop(kill=True)


def test_statistics_have_zeroes_for_what_has_not_happened() -> None:
    """Without this the seed's own snippet would raise a KeyError on a quiet day."""
    before = get_event_stats()
    emit_security_event("auth.login_failure", {})
    stats = unified_event_manager.get_stats()
    assert is_initialized()
    assert stats["by_priority"]["critical"] == before["by_priority"]["critical"]
    assert stats["by_priority"]["high"] == before["by_priority"]["high"] + 1
    assert set(stats["by_category"]) == {str(category) for category in EventCategory}
    assert stats["processed"] > before["processed"]


def test_unified_events_can_be_turned_off(log: Read, unified_settings: Settings) -> None:
    """Without this an operator could not silence a program that emits too much."""
    import dataclasses

    initialize_event_system(dataclasses.replace(unified_settings, unified_events_enabled=False))
    found = emit_realtime_event("job.started", {})
    assert not found
    assert "SPANFEED_UNIFIED_EVENTS_ENABLED" in str(found.error)
    assert log() == []


def test_who_is_shown_a_variant_is_told_once(log: Callable[[], list[dict[str, Any]]]) -> None:
    """Without this an experiment's shares would depend on how often a page was loaded again."""
    for _ in range(3):
        assert emit_experiment_exposure("prompt", "short", user_id="anna", details={"model": "m"})
    assert emit_experiment_exposure("prompt", "long", session_id="s-1")
    found = log()
    assert [(e["event_type"], e["category"], e["priority"], e["metadata"]["audience"]) for e in found] == [
        ("experiment.exposure", "analytics", "low", "operator")
    ] * 2
    assert found[0]["event_data"] == {"model": "m", "experiment": "prompt", "variant": "short"}
    assert (found[0]["user_id"], found[1]["session_id"]) == ("anna", "s-1")

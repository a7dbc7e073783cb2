"""The seeds' Python snippets, as written but for their import lines, and the first seed's class behind some of them."""

from __future__ import annotations

import ast
import asyncio
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import pytest

import pipeline.chat_events
import pipeline.unified
from pipeline.bus import open_bus
from pipeline.chat_events import ChatEventService
from pipeline.settings import Settings
from pipeline.store import Store, migrate, open_store
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from web.recorder import Recorder

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def store(unified_settings: Settings) -> Iterator[Store]:
    """The database of the programs."""
    made = open_store(unified_settings)
    migrate.upgrade(made)
    yield made
    made.close()


def run(snippet: str, **names: Any) -> dict[str, Any]:
    """Runs a program that awaits at its top level, with all names of the one import line; gives its names."""
    code: CodeType = compile(
        textwrap.dedent(snippet), "<snippet>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
    )
    known = {name: getattr(pipeline.unified, name) for name in pipeline.unified.__all__}
    known |= {"ChatEventService": ChatEventService, **names}

    async def program() -> None:
        found = eval(code, known)
        if inspect.isawaitable(found):
            await found

    asyncio.run(program())
    return known


def record(settings: Settings, store: Store) -> None:
    """Stores all that was written."""
    bus = open_bus(settings)
    Recorder(settings, bus, store).run_until_empty()
    bus.close_connections()


def test_events_are_emitted_as_the_second_seed_shows(log: Read) -> None:
    """Without this a program of the second seed would need more changes than its import lines."""
    run("""
        # Real-time user notification
        await emit_realtime_event(
            "document.processing_completed",
            {
                "document_id": "doc_123",
                "chunks_created": 25,
                "processing_time": 5.2
            },
            user_id="user_123"
        )

        # Security alert
        await emit_security_event(
            "suspicious.brute_force",
            {
                "ip_address": "192.168.1.100",
                "attempts": 10,
                "blocked": True
            },
            priority=EventPriority.CRITICAL
        )
        await emit_realtime_event("custom.event", {"data": "value"})
        await emit_security_event("custom.security", {"alert": "data"})
    """)
    told = [event for event in log() if event["metadata"]["audience"] != "record"]
    types = [event["event_type"] for event in told]
    assert types[0] == "document.processing_completed"
    assert {"suspicious.brute_force", "custom.event", "custom.security"} <= set(types)
    assert told[0]["user_id"] == "user_123"
    assert told[0]["event_data"]["chunks_created"] == 25


def test_events_are_handled_as_the_second_seed_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """Without this a program's handlers, global, by category and by type, would have to be written anew."""
    said: list[str] = []
    run(
        """
        def handle_document_events(event: UnifiedEvent):
            if event.event_type.startswith("document."):
                print(f"Document event: {event.event_type}")
                # Process document event

        def handle_critical_events(event: UnifiedEvent):
            if event.priority == EventPriority.CRITICAL:
                print(f"CRITICAL: {event.event_type}")
                # Send alerts, notifications, etc.

        # Register handlers
        event_router.add_type_handler("document.*", handle_document_events)
        event_router.add_global_handler(handle_critical_events)

        await emit_realtime_event("document.uploaded", {"document_id": "123"})
        await emit_security_event("suspicious.brute_force", {"attempts": 10}, priority=EventPriority.CRITICAL)
        """,
        print=said.append,
    )
    wait_for(lambda: len(said) >= 2, "the handlers")
    assert {"Document event: document.uploaded", "CRITICAL: suspicious.brute_force"} <= set(said)


def test_a_router_of_ones_own_works_as_the_second_seed_shows() -> None:
    """Without this a program that routes its events by itself would not run."""
    heard: list[str] = []
    run(
        """
        router = EventRouter()

        # Add handlers for different scopes
        router.add_global_handler(my_handler)                    # All events
        router.add_category_handler(EventCategory.SECURITY, security_handler)  # Category-specific
        router.add_type_handler("user.login", login_handler)     # Event type-specific

        # Route events
        await router.route_event(event)
        """,
        my_handler=lambda event: heard.append("global"),
        security_handler=lambda event: heard.append("security"),
        login_handler=lambda event: heard.append("login"),
        event=pipeline.unified.UnifiedEvent(pipeline.unified.EventCategory.SECURITY, "user.login"),
    )
    wait_for(lambda: len(heard) == 3, "the handlers")
    assert sorted(heard) == ["global", "login", "security"]


def test_statistics_are_read_as_the_second_seed_shows(unified_settings: Settings, store: Store) -> None:
    """Without this a program that watches the event system would fail at the first missing name."""
    said: list[str] = []
    run("""
        # 1. Emit security event
        await emit_security_event(
            "auth.login_failure",
            {"ip": "192.168.1.1", "attempts": 5},
            priority=EventPriority.HIGH
        )
    """)
    record(unified_settings, store)
    run(
        """
        # Get system-wide event statistics
        stats = get_event_stats()
        print(f"Total events processed: {stats['processed']}")
        print(f"Events by category: {stats['by_category']}")
        print(f"High priority events: {stats['by_priority']['high']}")
        # Check system status
        print(f"Initialized: {unified_event_manager.is_initialized()}")
        print(f"Stats: {unified_event_manager.get_stats()}")
        """,
        print=said.append,
    )
    assert said[3] == "Initialized: True"
    assert said[2] != "High priority events: 0"


def test_a_session_is_told_of_as_the_first_seed_shows(
    unified_settings: Settings, store: Store, unified_valkey: RedisPart
) -> None:
    """Without this a program of the first seed could not tell the stages of its own."""
    names = run(
        """
        await ChatEventService.create_event(db, session_id, "message_received", "started")
        await ChatEventService.create_event(
            db, session_id, "message_received", "completed", processing_time_ms=12, message_id="m-1"
        )
        found = await ChatEventService.create_event(
            db, session_id, "agent_thinking", "started", event_data={"n": 1}, custom_message="Let me think."
        )
        before = await ChatEventService.get_session_events(db, session_id)
        """,
        db=None,
        session_id="s-1",
    )
    assert [(event["event_type"], event["event_status"]) for event in names["before"]] == [
        ("message_received", "started"),
        ("message_received", "completed"),
        ("agent_thinking", "started"),
    ]
    assert names["before"][0]["user_message"] == ChatEventService.EVENT_MESSAGES["message_received"]["started"]
    assert names["before"][1]["processing_time_ms"] == 12
    assert (names["before"][2]["user_message"], names["before"][2]["id"]) == ("Let me think.", names["found"].log_id)
    record(unified_settings, store)
    with unified_valkey.client() as client:
        client.flushall()
    # What is stored is told as it was announced.
    assert ChatEventService.get_session_events(None, "s-1") == names["before"]
    assert ChatEventService.get_session_events(None, "s-1", after=names["before"][0]["id"]) == names["before"][1:]
    assert ChatEventService.get_latest_events(None, "s-1", count=2) == names["before"][1:]
    names = run(
        """
        # Clean up events older than 24 hours (default)
        young = await ChatEventService.cleanup_old_events(db, hours_old=24)
        all_of_them = await ChatEventService.cleanup_old_events(db, hours_old=0)
        """,
        db=None,
    )
    assert (names["young"], names["all_of_them"]) == (0, 3)
    assert ChatEventService.get_session_events(None, "s-1") == []


@pytest.mark.parametrize(
    "wrong", [("a b", "agent_thinking", "started"), ("s", "a type", "started"), ("s", "agent_thinking", "began")]
)
def test_a_call_that_is_wrong_is_told_and_raises_nothing(log: Read, wrong: tuple[str, str, str]) -> None:
    """Without this a typing error in an event would break the chat."""
    found = ChatEventService.create_event(None, *wrong)
    assert not found
    assert found.error
    assert log() == []

"""Handlers: chosen by everything, category or pattern; none holds up another, or the emitter."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SettingError
from pipeline.settings import Settings
from pipeline.unified import EventCategory, EventRouter, UnifiedEvent, emit_realtime_event, event_router
from pipeline.unified.patterns import matches
from tests.parts.waiting import wait_for

EVENT = UnifiedEvent(EventCategory.REALTIME, "document.uploaded")


@pytest.fixture
def router() -> Iterator[EventRouter]:
    """A router with short waits."""
    made = EventRouter(dataclasses.replace(Settings(), handler_timeout_seconds=0.3, handler_queue_limit_events=5))
    yield made
    made.close(10)


def test_the_seeds_snippet_runs() -> None:
    """Without this a program of the seed could not await its router."""
    seen: list[str] = []
    router = EventRouter()
    router.add_global_handler(lambda event: seen.append(f"all {event.event_type}"))
    router.add_category_handler(EventCategory.SECURITY, lambda event: seen.append("security"))
    router.add_type_handler("user.login", lambda event: seen.append("login"))

    async def program() -> None:
        await router.route_event(UnifiedEvent(EventCategory.SECURITY, "user.login"))
        await router.route_event(EVENT)

    asyncio.run(program())
    assert seen == ["all user.login", "security", "login", "all document.uploaded"]
    router.close()


def test_async_handlers_are_awaited(router: EventRouter) -> None:
    """Without this an async handler would never run: the original forgot to await it."""
    seen: list[str] = []

    async def handler(event: UnifiedEvent) -> None:
        await asyncio.sleep(0)
        seen.append(event.event_type)

    router.add_global_handler(handler)
    assert router.route_event(EVENT).wait(30).handled == 1
    assert seen == ["document.uploaded"]


def test_an_async_handler_runs_in_the_loop_that_added_it(router: EventRouter) -> None:
    """Without this a handler could not use the connections of its own program."""
    loops: list[object] = []

    async def handler(_event: UnifiedEvent) -> None:
        loops.append(asyncio.get_running_loop())

    async def program() -> None:
        router.add_global_handler(handler)
        await router.route_event(EVENT)
        assert loops == [asyncio.get_running_loop()]

    asyncio.run(program())


@pytest.mark.parametrize("kind", ["sync", "async", "hangs", "async hangs", "blocks its loop", "exits"])
def test_a_bad_handler_keeps_nobody_from_the_event(router: EventRouter, kind: str) -> None:
    """Without this one plug-in's fault would silence all others."""
    let_go = threading.Event()

    def fails(_event: UnifiedEvent) -> None:
        raise ValueError("no")

    async def fails_later(_event: UnifiedEvent) -> None:
        raise ValueError("no")

    async def sleeps(_event: UnifiedEvent) -> None:
        await asyncio.sleep(3_600)

    async def blocks(_event: UnifiedEvent) -> None:
        let_go.wait(60)

    async def works(_event: UnifiedEvent) -> None:
        seen.append(2)

    def exits(_event: UnifiedEvent) -> None:
        raise SystemExit

    bad = {
        "sync": fails,
        "async": fails_later,
        "hangs": lambda _: let_go.wait(60),
        "async hangs": sleeps,
        "blocks its loop": blocks,
        "exits": exits,
    }
    seen: list[int] = []
    router.add_global_handler(bad[kind])
    router.add_global_handler(lambda _: seen.append(1))
    router.add_global_handler(works)
    try:
        found = router.route_event(EVENT).wait(30)
        assert (found.handled, found.failed) == (2, 1)
        assert router.route_event(EVENT).wait(30).handled == 2
        assert seen == [1, 2, 1, 2]
    finally:
        let_go.set()


def test_a_handler_that_always_hangs_is_left_out_until_it_is_back(router: EventRouter) -> None:
    """Without this each event would leave one more thread behind, for ever."""
    let_go = threading.Event()
    calls: list[int] = []

    def hangs(_event: UnifiedEvent) -> None:
        calls.append(1)
        let_go.wait(60)

    router.add_global_handler(hangs)
    for _ in range(5):
        router.route_event(EVENT).wait(30)
    assert len(calls) == 3
    let_go.set()
    wait_for(lambda: router.route_event(EVENT).wait(30).handled == 1, "the handler to be asked again")


def test_an_emitter_never_waits_for_handlers(router: EventRouter) -> None:
    """Without this a slow handler would slow every request that emits."""
    let_go = threading.Event()
    router.add_global_handler(lambda _: let_go.wait(60))
    began = time.monotonic()
    taken = [bool(router.route_event(EVENT)) for _ in range(20)]
    assert time.monotonic() - began < 30
    let_go.set()
    assert taken[0]
    assert not all(taken)
    assert router.dropped == taken.count(False)
    assert router.drain(30)


def test_a_handler_can_be_removed(router: EventRouter) -> None:
    """Without this a part of a program could not stop listening."""
    seen: list[int] = []
    handler_id = router.add_type_handler("document.*", lambda _: seen.append(1))
    router.route_event(EVENT).wait(30)
    assert router.remove_handler(handler_id)
    assert not router.remove_handler(handler_id)
    router.route_event(EVENT).wait(30)
    assert seen == [1]


def test_a_thousand_handlers_are_all_called(router: EventRouter) -> None:
    """Without this a large program's last handlers would be forgotten."""
    seen: list[int] = []
    for number in range(1_000):
        router.add_global_handler(lambda _, n=number: seen.append(n))  # type: ignore[misc]
    assert router.route_event(EVENT).wait(60).handled == 1_000
    assert seen == list(range(1_000))


def test_handlers_that_emit_do_not_go_on_for_ever() -> None:
    """Without this a handler that emits what it handles would fill the log until the disk is full."""
    seen: list[int] = []

    def echo(event: UnifiedEvent) -> None:
        seen.append(1)
        emit_realtime_event(event.event_type, event.data)

    async def echo_later(event: UnifiedEvent) -> None:
        if event.event_type == "async.echo":
            seen.append(1)
            emit_realtime_event(event.event_type, event.data)

    event_router.add_type_handler("sync.*", echo)
    event_router.add_type_handler("async.*", echo_later)
    for name in ("sync.echo", "async.echo"):
        seen.clear()
        emit_realtime_event(name, {})
        assert event_router.drain(60)
        assert 1 < len(seen) < 20


@pytest.mark.parametrize(
    ("pattern", "event_type", "fits"),
    [
        ("document.*", "document.uploaded", True),
        ("document.*", "documents.uploaded", False),
        ("document.*", "document.", True),
        ("*.failed", "job.failed", True),
        ("*.failed", "job.failed.twice", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("*", "anything", True),
        ("**", "", True),
        ("job.failed", "job.failed", True),
        ("job.failed", "Job.failed", False),
        ("*a" * 45, "a" * 99 + "b", False),
    ],
)
def test_patterns(pattern: str, event_type: str, fits: bool) -> None:
    """Without this `document.*` would match nothing, as in the original, or take for ever."""
    assert matches(pattern, event_type) is fits


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_patterns_agree_with_the_shell(pattern: str, text: str) -> None:
    """Without this a rare pattern could match what it should not."""
    import fnmatch

    assert matches(pattern, text) is fnmatch.fnmatchcase(text, pattern)


def test_nonsense_is_refused_when_it_is_added(router: EventRouter) -> None:
    """Without this a typing error would be a handler that is never called."""
    for add in (
        lambda: router.add_category_handler("secrets", print),
        lambda: router.add_type_handler("document. *", print),
        lambda: router.add_global_handler(None),  # type: ignore[arg-type]
        lambda: router.add_global_handler(print, durable="no spaces"),
    ):
        with pytest.raises(SettingError):
            add()

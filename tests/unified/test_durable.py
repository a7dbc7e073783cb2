"""Durable handlers: every event at least once, whatever happens to their workers, and Redis never filled by them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.bus import Bus, keys, open_bus
from pipeline.settings import Settings, load
from pipeline.unified import EventRouter, UnifiedEvent, emit_realtime_event, event_router
from pipeline.unified.durable import DurableHandlers
from tests.parts.redis_part import RedisPart
from tests.parts.stack import ROOT
from tests.parts.waiting import wait_for
from web.doctor.handlers import handlers as look
from web.doctor.lines import Level

Start = Callable[[EventRouter], DurableHandlers]
HASTY = {
    "SPANFEED_HANDLER_TIMEOUT_SECONDS": "1",
    "SPANFEED_RETRY_BACKOFF_SECONDS": "0.05",
    "SPANFEED_HANDLER_TRIES_LIMIT": "3",
    "SPANFEED_HANDLER_LOG_LIMIT_EVENTS": "500",
}


@pytest.fixture
def hasty(environment: dict[str, str]) -> Settings:
    """Settings with short waits and a small log."""
    return load({**environment, **HASTY})


@pytest.fixture
def bus(hasty: Settings) -> Iterator[Bus]:
    """A bus with these settings."""
    opened = open_bus(hasty)
    yield opened
    opened.close_connections()


@pytest.fixture
def start(hasty: Settings, bus: Bus) -> Iterator[Start]:
    """Runs the durable handlers of a router, as `spanfeed handlers run` does."""
    running: list[DurableHandlers] = []

    def begin(router: EventRouter) -> DurableHandlers:
        made = DurableHandlers(hasty, bus, router.handlers.durable())
        made.start()
        running.append(made)
        return made

    yield begin
    for one in running:
        one.stop()


def facts(bus: Bus, name: str) -> Any:
    """How a handler stands."""
    return next(one for one in bus.handler_log.facts() if one.name == name)


def test_a_durable_handler_has_what_came_while_it_did_not_run(start: Start, bus: Bus) -> None:
    """Without this a deploy of the handlers would lose what was emitted meanwhile."""
    seen: list[Any] = []
    router = EventRouter()
    router.add_type_handler("order.*", lambda event: seen.append(event.data["n"]), durable="orders")
    first = start(router)
    emit_realtime_event("order.made", {"n": 1})
    wait_for(lambda: seen == [1], "the first event")
    first.stop()
    emit_realtime_event("order.made", {"n": 2})
    emit_realtime_event("other.made", {"n": 3})
    start(router)
    wait_for(lambda: seen == [1, 2], "the second event")
    wait_for(lambda: facts(bus, "orders").waiting + facts(bus, "orders").pending == 0, "everything to be acknowledged")


def test_it_is_not_called_where_it_was_emitted() -> None:
    """Without this the work would be done twice."""
    seen: list[int] = []
    event_router.add_type_handler("order.*", lambda _: seen.append(1), durable="orders")
    emit_realtime_event("order.made", {})
    assert event_router.drain(20)
    assert seen == []


def test_a_failing_handler_is_tried_again_and_then_gives_up(start: Start, bus: Bus) -> None:
    """Without this one bad event would be lost at its first failure, or tried for ever."""
    calls: list[int] = []
    good: list[int] = []
    router = EventRouter()

    def fails(event: UnifiedEvent) -> None:
        calls.append(event.data["n"])
        if event.data["n"] == 1 or calls.count(event.data["n"]) < 2:
            raise ValueError("not today")
        good.append(event.data["n"])

    router.add_global_handler(fails, durable="fails")
    start(router)
    for number in (1, 2):
        emit_realtime_event("order.made", {"n": number})
    wait_for(lambda: facts(bus, "fails").dead == 1 and good == [2], "one given up, one handled")
    assert calls.count(1) == 3
    assert bus.handler_log.dead("fails", 5)[0][1] == "ValueError: not today"
    assert facts(bus, "fails").pending == 0


def test_a_handler_that_hangs_holds_up_no_other(start: Start, bus: Bus) -> None:
    """Without this one handler's dead connection would stop all the others."""
    let_go = threading.Event()
    seen: list[int] = []
    router = EventRouter()
    router.add_global_handler(lambda _: let_go.wait(60), durable="hangs")
    router.add_global_handler(lambda _: seen.append(1), durable="works")
    start(router)
    emit_realtime_event("order.made", {})
    wait_for(lambda: seen == [1], "the other handler")
    wait_for(lambda: facts(bus, "hangs").dead == 1, "the hanging one to give up")
    let_go.set()


def test_durable_handlers_that_emit_do_not_go_on_for_ever(start: Start) -> None:
    """Without this two handlers could fill the log with each other's events."""
    seen: list[int] = []
    router = EventRouter()

    def echo(event: UnifiedEvent) -> None:
        seen.append(event.metadata.get("handler_depth", 0))
        emit_realtime_event("order.echo", {})

    router.add_type_handler("order.*", echo, durable="echo")
    start(router)
    emit_realtime_event("order.echo", {})
    wait_for(lambda: len(seen) == 8, "the last turn")
    emit_realtime_event("order.echo", {})
    wait_for(lambda: len(seen) >= 16, "the last turn of another event")
    assert seen == [*range(8), *range(8)]


def _record_all(bus: Bus) -> None:
    while entries := bus.log.read_new("recorder", 1_000, 1):
        bus.log.acknowledge(entries)


def test_the_log_waits_for_a_handler_but_not_without_limit(
    bus: Bus, unified_valkey: RedisPart, caplog: pytest.LogCaptureFixture
) -> None:
    """Without this a forgotten handler would fill Redis and stop the chat, or a short stop would lose events."""
    bus.log.join()
    bus.handler_log.join("slow")
    with unified_valkey.client() as client:
        for _ in range(400):
            emit_realtime_event("order.made", {})
        _record_all(bus)
        bus.log.trim()
        assert client.xlen(keys.LOG) == 400
        assert not facts(bus, "slow").lost
        for _ in range(800):
            emit_realtime_event("order.made", {})
        _record_all(bus)
        for _ in range(8):
            bus.log.trim()
        kept: Any = client.xlen(keys.LOG)
        assert 0 < kept <= 700
        assert facts(bus, "slow").lost
        assert [r.message for r in caplog.records if "slow is too far behind" in r.message]
        assert bus.handler_log.forget("slow")
        bus.log.trim()
        assert client.xlen(keys.LOG) < 100


def test_what_the_recorder_has_not_stored_is_never_let_go(bus: Bus, unified_valkey: RedisPart) -> None:
    """Without this a handler that is far behind would cost the record its events."""
    bus.log.join()
    bus.handler_log.join("slow")
    for _ in range(700):
        emit_realtime_event("order.made", {})
    bus.log.acknowledge(bus.log.read_new("recorder", 650, 1)[1:])
    bus.log.trim()
    with unified_valkey.client() as client:
        assert client.xlen(keys.LOG) == 700


def test_the_doctor_warns_of_a_handler_that_nobody_runs(bus: Bus, hasty: Settings) -> None:
    """Without this events would be let go before anybody knew."""
    from pipeline.bus.inspect import Inspection
    from pipeline.store import open_store
    from web.doctor.patient import Patient

    bus.handler_log.join("idle")
    store = open_store(hasty)
    patient = Patient(hasty, Inspection(hasty.redis_url), store)
    (line,) = look(patient)
    assert (line.name, line.level) == ("handler idle", Level.OK)
    for _ in range(250):
        emit_realtime_event("order.made", {})
    (line,) = look(patient)
    assert line.level is Level.WARNING
    assert "250 events wait" in line.found
    store.close()


_MODULE = """
import os, signal
from pathlib import Path
from pipeline.unified import event_router

def handle(event):
    first = not Path("killed").exists()
    if first:
        Path("killed").write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    with Path("handled").open("a") as file:
        file.write(str(event.data["n"]) + chr(10))

event_router.add_type_handler("order.*", handle, durable="kills")
"""


def test_the_command_survives_a_kill(bus: Bus, environment: dict[str, str], tmp_path: Path) -> None:
    """Without this a worker that is killed at an event would take the event with it."""
    (tmp_path / "my_handlers.py").write_text(_MODULE, encoding="utf-8")
    env = {**os.environ, **environment, **HASTY, "SPANFEED_HANDLER_TIMEOUT_SECONDS": "0.1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from web.cli import main; main()", "handlers"]

    def run() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, "run", "--module", "my_handlers"], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True
        )

    bus.handler_log.join("kills")
    for number in (1, 2):
        emit_realtime_event("order.made", {"n": number})
    first = run()
    first.communicate(timeout=60)
    assert first.returncode == -signal.SIGKILL
    second = run()
    handled = tmp_path / "handled"
    wait_for(lambda: handled.exists() and sorted(handled.read_text().split()) == ["1", "2"], "both events", 60)
    second.send_signal(signal.SIGTERM)
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert said == "Handling: kills\n"
    wait_for(lambda: facts(bus, "kills").pending == 0, "everything to be acknowledged")
    listed = subprocess.run([*command, "list"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert listed.stdout == "kills: 0 wait, 0 in hand, 0 given up\n"
    wrong = subprocess.run(
        [*command, "run", "--module", "json"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert wrong.returncode == 1
    assert "adds no durable handler" in wrong.stderr

"""The recorder's work on a batch: each event once, poison aside, the log no longer than it must be."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from sqlalchemy import func, select

from pipeline.bus import keys
from pipeline.event import Status
from pipeline.store import conversations, events
from pipeline.store.models import dead_letters, event_minutes
from pipeline.store.models import events as table
from tests.parts.waiting import wait_for
from tests.web.site import Site


@pytest.fixture
def recorded(make_site: Callable[..., Site], database_url: str) -> Site:
    """A site on each supported database, with an empty log."""
    return make_site(DATABASE_URL=database_url).migrated()


def _client(site: Site) -> redis.Redis:
    return redis.Redis.from_url(site.settings.redis_url, socket_timeout=5)


def _rows(site: Site) -> list[int]:
    with site.store.read() as connection:
        return list(connection.execute(select(table.c.id).order_by(table.c.id)).scalars())


def _counted(site: Site) -> int:
    with site.store.read() as connection:
        return int(connection.execute(select(func.coalesce(func.sum(event_minutes.c.events), 0))).scalar_one())


def _pending(site: Site) -> int:
    return int(_client(site).xpending(keys.LOG, keys.RECORDERS)["pending"])


def test_what_was_announced_is_what_is_stored(recorded: Site, session_id: str) -> None:
    """An auditor would read something else than the user saw."""
    data = {"text": "é 🔍 \"'\\\n", "n": 1.5, "list": [None, True], "big": 2**53}
    recorded.emit(session_id, 3, "tool_search_documents", status=Status.COMPLETED, data=data, text="✅ Done")
    announced = [event.wire for event in recorded.bus.session_events(session_id, 0, 2**53 - 1, 10)]
    assert recorded.recorder().run_until_empty() == 3
    assert [event.wire for event in events.session_events(recorded.store, session_id, 0, 10)] == announced


def test_a_batch_that_comes_twice_is_stored_once(recorded: Site, session_id: str) -> None:
    """After a crash of the recorder events would appear twice, and be counted twice."""
    ids = recorded.emit(session_id, 20)
    recorder = recorded.recorder()
    assert recorder.run_until_empty() == 20
    _client(recorded).xgroup_setid(keys.LOG, keys.RECORDERS, "0")
    assert recorder.run_until_empty() == 20
    assert _rows(recorded) == ids
    assert _counted(recorded) == 20


GOOD: dict[str, Any] = {
    "id": 7,
    "seq": 1,
    "timestamp": "2026-11-22T10:00:00.000000Z",
    "attempt": None,
    "processing_time_ms": 5,
    "queue_time_ms": None,
    "event_type": "agent_thinking",
    "category": "workflow",
    "priority": "normal",
    "session_id": "poisoned",
    "message_id": "m-1",
    "user_id": None,
    "correlation_id": None,
    "trace_id": None,
    "span_id": None,
    "parent_span_id": None,
    "source_system": "spanfeed",
    "event_status": "started",
    "user_message": "text",
    "event_data": {},
    "metadata": {},
    "reason": None,
    "error_type": None,
    "task_id": None,
}


def _changed(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


POISON: dict[str, dict[bytes, bytes]] = {
    "no field": {b"other": b"1"},
    "empty": {b"e": b""},
    "not JSON": {b"e": b"hello"},
    "not UTF-8": {b"e": b"\xff\xfe"},
    "half": {b"e": _changed()[:-20]},
    "list": {b"e": b"[1]"},
    "number": {b"e": b"7"},
    "null": {b"e": b"null"},
    "deep": {b"e": b"[" * 10_000 + b"]" * 10_000},
    "NaN": {b"e": _changed(processing_time_ms=float("nan"))},
    "surrogate": {b"e": _changed(user_message="\ud800")},
    "no id": {b"e": _changed(id=None)},
    "text for id": {b"e": _changed(id="7")},
    "huge id": {b"e": _changed(id=2**70)},
    "fraction for id": {b"e": _changed(id=7.5)},
    "no type": {b"e": _changed(event_type=None)},
    "number for type": {b"e": _changed(event_type=7)},
    "no category": {b"e": _changed(category=None)},
    "list for category": {b"e": _changed(category=["workflow"])},
    "number for category": {b"e": _changed(category=7)},
    "object for status": {b"e": _changed(event_status={"a": 1})},
    "text for duration": {b"e": _changed(processing_time_ms="soon")},
    "list for duration": {b"e": _changed(processing_time_ms=[1])},
    "list for user": {b"e": _changed(user_id=[1])},
    "object for session": {b"e": _changed(session_id={"a": 1})},
    "list for message": {b"e": _changed(message_id=["m"], event_type="error", event_status="failed")},
    "huge duration": {b"e": _changed(processing_time_ms=2**70)},
}


UNREADABLE = ("no field", "empty", "not JSON", "half", "list", "no id", "huge id", "no type", "list for category")


@pytest.mark.parametrize("name", POISON)
def test_one_poisoned_entry_holds_nothing_up(make_site: Callable[..., Site], session_id: str, name: str) -> None:
    """One broken entry would stop the record of everything that comes after it."""
    site = make_site()
    before = site.emit(session_id, 3)
    _client(site).xadd(keys.LOG, POISON[name])  # type: ignore[arg-type]
    after = site.emit(session_id, 3)
    site.recorder().run_until_empty()
    stored = [event.id for event in events.session_events(site.store, session_id, 0, 10)]
    assert stored == before + after
    assert _pending(site) == 0
    if name in UNREADABLE:
        with site.store.read() as connection:
            [reason] = connection.execute(select(dead_letters.c.reason)).scalars()
        assert reason


def test_a_heap_of_poison_holds_nothing_up(recorded: Site, session_id: str) -> None:
    """Many broken entries in one batch would stop the record, or take good events with them."""
    ids = []
    for fields in POISON.values():
        ids += recorded.emit(session_id, 2)
        _client(recorded).xadd(keys.LOG, fields)  # type: ignore[arg-type]
    ids += recorded.emit(session_id, 2)
    recorded.recorder().run_until_empty()
    assert [event.id for event in events.session_events(recorded.store, session_id, 0, 500)] == ids
    assert _pending(recorded) == 0
    with recorded.store.read() as connection:
        assert connection.execute(select(func.count()).select_from(dead_letters)).scalar_one() >= len(UNREADABLE)


def test_a_nul_is_stored_or_buried_but_stops_nothing(recorded: Site, session_id: str) -> None:
    """One character that a database refuses would stop the record."""
    before = recorded.emit(session_id, 2)
    wire = _changed(user_message="a\x00b", event_data={"a\x00": "\x00"})
    _client(recorded).xadd(keys.LOG, {b"e": wire})
    after = recorded.emit(session_id, 2)
    recorded.recorder().run_until_empty()
    assert set(before + after) <= set(_rows(recorded))
    assert _pending(recorded) == 0


def test_a_failed_run_marks_its_message(recorded: Site, session_id: str) -> None:
    """A message that failed would look as if it were still worked on."""
    message_id = recorded.say(session_id)
    recorded.emit(session_id, 1, "error", status=Status.FAILED, message_id=message_id)
    recorded.recorder().run_until_empty()
    asked = conversations.find_message(recorded.store, message_id)
    assert asked is not None
    assert asked.status == "failed"


def test_an_error_of_a_message_that_is_gone_harms_nothing(recorded: Site, session_id: str) -> None:
    """A conversation that was deleted while it ran would stop the record."""
    recorded.emit(session_id, 1, "error", status=Status.FAILED, message_id="deleted")
    ids = recorded.emit(session_id, 2)
    recorded.recorder().run_until_empty()
    assert set(ids) <= set(_rows(recorded))


@pytest.fixture
def running(make_site: Callable[..., Site]) -> Iterator[Site]:
    """A site whose recorder runs in a thread."""
    site = make_site()
    recorder = site.recorder()
    thread = threading.Thread(target=recorder.run)
    thread.start()
    yield site
    recorder.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_the_log_is_trimmed_behind_the_recorder(running: Site, session_id: str) -> None:
    """Redis would fill up until it refuses to take events."""
    ids = running.emit(session_id, 2_000)
    wait_for(lambda: len(_rows(running)) == 2_000, "2,000 rows")
    # Redis drops whole nodes of its stream, of a hundred entries each.
    wait_for(lambda: _client(running).xlen(keys.LOG) <= 200, "a short log")
    assert _rows(running) == ids


def test_what_is_not_stored_is_never_trimmed(make_site: Callable[..., Site], session_id: str) -> None:
    """Events that a recorder holds, or nobody has read yet, would be lost when the log is made short."""
    site = make_site()
    ids = site.emit(session_id, 500)
    held = site.bus.log.read_new("a recorder that is slow", 100, 0)
    site.recorder().run_until_empty()
    site.bus.log.trim()
    later = site.emit(session_id, 50)
    site.bus.log.trim()
    left = {int(entry.entry_id.partition("-")[0]) for entry in site.bus.log.read_log(0, 2**53, 10_000)}
    assert {int(entry.entry_id.partition("-")[0]) for entry in held} <= left
    assert set(later) <= left
    assert set(ids[:100]) <= left


def test_what_another_recorder_has_just_read_is_never_trimmed(make_site: Callable[..., Site]) -> None:
    """Of two recorders one would cut away what the other holds; if that one dies then, the events are lost."""
    site = make_site()
    site.bus.log.join()
    ids = itertools.count(1)
    stop, trimmed = threading.Event(), threading.Event()

    def trim() -> None:
        while not stop.is_set():
            site.bus.log.trim()
            trimmed.set()

    trimming = threading.Thread(target=trim)
    trimming.start()
    try:
        with _client(site) as client:
            for _ in range(100):
                with client.pipeline() as pipeline:
                    for _ in range(250):
                        pipeline.xadd(keys.LOG, {b"e": b"x"}, id=f"{next(ids)}-0")
                    pipeline.execute()
                read = site.bus.log.read_new("another recorder", 1_000, 0)
                # The trim that was under way while this was read is over after the second one from here.
                for _ in range(2):
                    trimmed.clear()
                    assert trimmed.wait(10)
                assert len(client.xrange(keys.LOG, read[0].entry_id, read[-1].entry_id)) == len(read)
                site.bus.log.acknowledge(read)
    finally:
        stop.set()
        trimming.join(10)


def test_an_event_is_stored_soon(running: Site, session_id: str) -> None:
    """A page that is loaded again would be served from the log for longer than it must."""
    running.emit(session_id)
    began = time.monotonic()
    wait_for(lambda: _rows(running), "a row", 5)
    assert time.monotonic() - began < 5


def test_where_there_is_no_log_there_is_nothing_to_do(make_site: Callable[..., Site]) -> None:
    """After Redis was emptied the recorder, or the watchdog beside it, would fall over until the first event comes."""
    site = make_site()
    assert site.bus.log.trim() == 0
    assert site.bus.log.backlog() == 0
    assert site.recorder().run_until_empty() == 0


def test_a_recorder_needs_no_log_to_start(running: Site, session_id: str) -> None:
    """On a new installation, or after Redis was emptied, nothing would ever be recorded."""
    _client(running).flushdb()
    [event_id] = running.emit(session_id)
    wait_for(lambda: _rows(running) == [event_id], "the event's row", 15)

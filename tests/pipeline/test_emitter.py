"""The emitter while Redis is away, hangs, and comes back: in order, once, and what is lost is told."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from pipeline.bus import Bus, keys, open_bus
from pipeline.emitter import KEPT, Emitter
from pipeline.errors import BusRefused, InvalidEvent
from pipeline.event import Category, Identity, Priority, State, Status
from tests.parts.redis_part import RedisPart
from tests.parts.waiting import wait_for
from tests.pipeline.driven import DrivenRun, kept, span_name

IDENTITY = Identity("custom.thing", Category.AUDIT, Priority.NORMAL, "s-1")
Make = Callable[..., Emitter]
HASTY = {"emit_deadline_ms": 2_000, "script_timeout_ms": 500, "breaker_failures_limit": 2}
"""Settings for a server that hangs. A busy machine must not take longer for an answer."""


@pytest.fixture
def make(valkey_bus: Bus) -> Iterator[Make]:
    """Makes emitters whose breaker tries often, with further settings as asked."""
    made: list[tuple[Emitter, Bus]] = []

    def emitter(**settings: Any) -> Emitter:
        changed: dict[str, Any] = {"breaker_open_ms": 50, **settings}
        bus = open_bus(dataclasses.replace(valkey_bus.settings, **changed))
        made.append((Emitter(bus), bus))
        return made[-1][0]

    yield emitter
    for opened, bus in made:
        opened.close()
        bus.close_connections()


def say(emitter: Emitter, name: str, **more: Any) -> int | None:
    """Appends an event that says `name`."""
    return emitter.append(IDENTITY, State(Status.COMPLETED, name), name, **more)


def told(bus: Bus) -> list[str | None]:
    """What the session's events say, in order."""
    return [orjson.loads(event.wire)["user_message"] for event in kept(bus)]


def logged(bus: Bus, event_type: str) -> list[dict[str, Any]]:
    """The log's events of a type."""
    entries = [orjson.loads(entry.wire or b"{}") for entry in bus.log.read_log(0, 2**53, 10_000)]
    return [event for event in entries if event["event_type"] == event_type]


def sent(emitter: Emitter) -> None:
    """Waits until nothing is left in the spool."""
    wait_for(lambda: not emitter.pending, "the sending of the spool")


def spools(emitter: Emitter) -> list[Path]:
    """The files that wait."""
    return sorted(emitter.settings.home_path.glob("spool/*"))


def now_us() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


def happened_us(event: dict[str, Any]) -> int:
    """When a late event says that it happened."""
    moment = datetime.datetime.fromisoformat(event["metadata"]["emitted_at"])
    return round(moment.timestamp() * 1e6)


def test_with_redis_there_it_is_the_bus(make: Make, valkey_bus: Bus) -> None:
    """Without this events would take a way of their own, and have other ids, when all is well."""
    emitter = make()
    first = say(emitter, "a", took_ms=7)
    assert say(emitter, "a") == first
    (event,) = kept(valkey_bus)
    assert (event.id, orjson.loads(event.wire)["processing_time_ms"], orjson.loads(event.wire)["metadata"]) == (
        first,
        7,
        {},
    )
    assert (emitter.pending, spools(emitter)) == (False, [])


def test_what_happens_meanwhile_is_told_in_order_once_redis_is_back(
    make: Make, valkey: RedisPart, valkey_bus: Bus
) -> None:
    """Without this whatever happens while Redis restarts would be missing from the feed and the record."""
    emitter = make()
    assert say(emitter, "before")
    valkey.stop(kill=True)
    began = now_us()
    assert {say(emitter, f"{n}") for n in range(600)} == {KEPT}
    ended = now_us()
    assert len(spools(emitter)) == 1
    valkey.start()
    wait_for(lambda: len(kept(valkey_bus)) > 1, "the first event out of the spool")
    say(emitter, "while it is sent")
    sent(emitter)
    assert say(emitter, "after")
    assert told(valkey_bus) == ["before", *map(str, range(600)), "while it is sent", "after"]
    events = [orjson.loads(event.wire) for event in kept(valkey_bus)]
    assert [event["seq"] for event in events] == list(range(1, 604))
    times = [happened_us(event) for event in events[1:-2]]
    assert began <= times[0]
    assert times[-1] <= ended
    assert times == sorted(set(times))
    assert [events[0]["metadata"], events[-1]["metadata"]] == [{}, {}]
    assert spools(emitter) == []


def test_without_redis_an_event_costs_next_to_nothing(make: Make, valkey: RedisPart) -> None:
    """Without this each event would hold its stage up for 50 ms while Redis is away."""
    emitter = make(breaker_open_ms=60_000)
    valkey.stop(kill=True)
    for n in range(3):
        say(emitter, f"first {n}")
    began = time.process_time()
    for n in range(1_000):
        say(emitter, f"{n}")
    assert time.process_time() - began < 1.0


def test_an_answer_that_was_lost_makes_no_second_event(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this a Redis that hangs for a moment would double what it was told then."""
    emitter = make(**HASTY)
    run = DrivenRun(valkey_bus)
    run.submit("think")
    run.begin("think", "T")

    def progress() -> int | None:
        return emitter.progress(*run.ids, run.token, span_name("T"), State(Status.PROGRESS, "same", {"n": 1}))

    assert progress()
    valkey.signal(signal.SIGSTOP)
    assert progress() == KEPT
    assert say(emitter, "x") == KEPT
    assert progress() == KEPT
    # The call that timed out waits in the socket of the frozen server, and is carried out when it wakes.
    wait_for(emitter._breaker.is_open, "the sender's own tries")
    valkey.signal(signal.SIGCONT)
    sent(emitter)
    assert progress()
    assert told(valkey_bus)[1:] == ["same", "same", "x", "same", "same"]
    dated = ["emitted_at" in orjson.loads(event.wire)["metadata"] for event in kept(valkey_bus)[1:]]
    assert dated == [False, False, True, True, False]


def test_progress_that_says_the_same_again_is_told_again(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this a step that repeats its words would be taken for one that Redis had heard before."""
    emitter = make()
    run = DrivenRun(valkey_bus)
    run.submit("think")
    run.begin("think", "T")
    for away in (False, True, True):
        if away:
            valkey.stop()
        emitter.progress(*run.ids, run.token, span_name("T"), State(Status.PROGRESS, "same"))
        if away:
            valkey.start()
            sent(emitter)
    assert run.transcript() == "T[ T~ T~ T~"


def test_an_append_whose_answer_was_lost_is_written_once(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this an audit entry would be recorded twice."""
    emitter = make(**HASTY)
    say(emitter, "first")
    valkey.signal(signal.SIGSTOP)
    assert say(emitter, "lost answer") == KEPT
    wait_for(emitter._breaker.is_open, "the sender's own tries")
    valkey.signal(signal.SIGCONT)
    sent(emitter)
    assert told(valkey_bus) == ["first", "lost answer"]


def test_progress_of_a_stage_that_has_moved_on_is_refused(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this progress would be told after its stage's end."""
    slow, other = make(breaker_open_ms=60_000), make()
    run = DrivenRun(valkey_bus)
    run.submit("think")
    run.begin("think", "T")
    valkey.stop()
    for n in range(3):
        slow.progress(*run.ids, run.token, span_name("T"), State(Status.PROGRESS, str(n)))
    wait_for(slow._breaker.is_open, "the open breaker")
    valkey.start()
    run.end("think", "T", to="generate")
    slow.close()
    other.adopt()
    wait_for(lambda: spools(other) == [], "the adoption")
    assert run.transcript() == "T[ T]"
    assert logged(valkey_bus, "gap") == []


def test_a_stages_end_waits_for_its_progress(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this progress would be lost because its stage ended a moment after Redis was back."""
    emitter = make(breaker_open_ms=300, spool_settle_ms=2_000)
    run = DrivenRun(valkey_bus)
    run.submit("think")
    run.begin("think", "T")
    valkey.stop()
    emitter.progress(*run.ids, run.token, span_name("T"), State(Status.PROGRESS, "told"))
    settled: list[bool] = []
    stage = threading.Thread(target=lambda: settled.append(emitter.settle()))
    stage.start()
    valkey.start()
    stage.join(20)
    assert settled == [True]
    run.end("think", "T", to="generate")
    assert run.transcript() == "T[ T~ T]"


def test_a_stages_end_does_not_wait_for_ever(make: Make, valkey: RedisPart) -> None:
    """Without this the chat would stand still because an event could not be told."""
    emitter = make(spool_settle_ms=50, script_deadline_seconds=0.3)
    valkey.stop(kill=True)
    say(emitter, "a")
    began = time.monotonic()
    assert not emitter.settle()
    assert time.monotonic() - began < 10


def test_what_was_lost_is_told_to_operators(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this nobody would know that the record has a hole."""
    emitter = make(spool_limit_bytes=45_000)
    run = DrivenRun(valkey_bus)
    run.submit("think")
    run.begin("think", "T")
    valkey.stop()
    began = now_us()
    for n in range(50):
        say(emitter, f"{n}")
        emitter.progress(*run.ids, run.token, span_name("T"), State(Status.PROGRESS, f"p{n}", {"x": "." * 300}))
    ended = now_us()
    valkey.start()
    wait_for(lambda: logged(valkey_bus, "gap"), "the gap event")
    sent(emitter)
    texts = told(valkey_bus)[1:]
    assert [text for text in texts if text and not text.startswith("p")] == [str(n) for n in range(50)]
    lost = 100 - len(texts)
    assert texts[-1] == "p49"
    (gap,) = logged(valkey_bus, "gap")
    assert (gap["category"], gap["priority"], gap["session_id"], gap["seq"]) == ("monitoring", "high", None, None)
    assert (gap["event_status"], gap["reason"], gap["error_type"]) == ("failed", "error", "SpoolFull")
    data = gap["event_data"]
    assert (data["lost"], data["by"]) == (lost, {"progress": lost})
    since, until = (datetime.datetime.fromisoformat(data[name]).timestamp() * 1e6 for name in ("since", "until"))
    assert began - 1 <= since <= until <= ended
    assert gap["user_message"] == f"⚠️ {lost} events between {data['since']} and {data['until']} were lost"
    assert spools(emitter) == []


def test_what_nobody_can_keep_is_told_too(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this a full disk would hide that events were lost."""
    emitter = make(spool_limit_bytes=600)
    valkey.stop()
    assert say(emitter, "y" * 400) is None
    valkey.start()
    wait_for(lambda: logged(valkey_bus, "gap"), "the gap event")
    assert logged(valkey_bus, "gap")[0]["event_data"]["by"] == {"audit": 1}


_EMITTING = """
import os, signal, sys
from pipeline import settings
from pipeline.bus import open_bus
from pipeline.emitter import Emitter
from pipeline.event import Category, Identity, Priority, State, Status
bus = open_bus(settings.load({"REDIS_URL": sys.argv[1], "SPANFEED_HOME": sys.argv[2]}))
emitter = Emitter(bus)
def say(name, status=Status.COMPLETED, **more):
    identity = Identity("custom.thing", Category.AUDIT, Priority.NORMAL, "s-1", span_id="00000000000000ab")
    return emitter.append(identity, State(status, name), name, **more)
"""


def emitting(emitter: Emitter, *lines: str) -> int:
    """Runs lines in a process with an emitter in the same home; gives its exit code."""
    code = "\n".join((_EMITTING, *lines))
    command = [sys.executable, "-c", code, emitter.settings.redis_url, emitter.settings.home]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


DIE = "os.kill(os.getpid(), signal.SIGKILL)"


def test_what_a_killed_process_had_kept_is_told_by_another(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this the last words of a worker that was killed while Redis was away would be lost."""
    emitter = make()
    valkey.stop()
    assert emitting(emitter, "[say(str(n)) for n in range(20)]", DIE) == -signal.SIGKILL
    valkey.start()
    assert told(valkey_bus) == []
    for _ in range(2):
        emitter.adopt()
        wait_for(lambda: spools(emitter) == [], "the adoption")
    assert told(valkey_bus) == [str(n) for n in range(20)]


def test_a_process_may_end_with_a_full_spool(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this a worker's child that is replaced while Redis is away would hang, or lose its events."""
    emitter = make()
    valkey.stop()
    began = time.monotonic()
    assert emitting(emitter, "say('bye')") == 0
    assert time.monotonic() - began < 15
    # Whoever has something of its own to send looks after others, too.
    say(emitter, "mine")
    valkey.start()
    wait_for(lambda: spools(emitter) == [], "the adoption")
    assert sorted(map(str, told(valkey_bus))) == ["bye", "mine"]


def test_a_span_of_a_killed_process_is_ended(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this an operator would see a span that is told late as open for ever."""
    emitter = make()
    valkey.stop()
    span = "ordinary_span=('m-1', '00000000000000ab')"
    emitting(emitter, f"say('begun', Status.STARTED, {span}, failed_text='cut off')", DIE)
    valkey.start()
    emitter.adopt()
    wait_for(lambda: spools(emitter) == [], "the adoption")
    assert told(valkey_bus) == ["begun", "cut off"]
    last = orjson.loads(kept(valkey_bus)[-1].wire)
    assert (last["event_status"], last["reason"]) == ("failed", "worker_lost")


def test_a_living_process_keeps_its_file(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this a slow process's events would be sent by two, and out of order."""
    slow, quick = make(breaker_open_ms=60_000), make()
    valkey.stop()
    for n in range(5):
        say(slow, f"slow {n}")
    wait_for(slow._breaker.is_open, "the open breaker")
    valkey.start()
    quick.adopt()
    thread = quick._thread
    if thread is not None:
        thread.join(10)
    assert told(valkey_bus) == []
    slow.close()
    quick.adopt()
    wait_for(lambda: spools(quick) == [], "the adoption")
    assert told(valkey_bus) == [f"slow {n}" for n in range(5)]


_FORKING = """
say("parent before")
(mine,) = (entry.name for entry in os.scandir(sys.argv[2] + "/spool"))
child = os.fork()
if child == 0:
    assert not emitter.pending
    say("child")
    both = {entry.name for entry in os.scandir(sys.argv[2] + "/spool")}
    assert len(both) == 2 and emitter._spool.name + ".spool" in both - {mine}
    os._exit(7)
assert os.waitpid(child, 0)[1] >> 8 == 7
say("parent after")
child = os.fork()
if child == 0:
    os.close(1)
    os.close(2)
    signal.pause()
"""


def test_a_child_does_not_write_into_its_parents_file(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this a forked worker would tear its parent's events, or keep them from being sent after its death."""
    emitter = make()
    valkey.stop()
    # The second child lives on: the parent's lock must not live on in it.
    ended = "print(child, file=open(sys.argv[2] + '/child', 'w'), flush=True)"
    assert emitting(emitter, _FORKING, ended, DIE) == -signal.SIGKILL
    try:
        valkey.start()
        emitter.adopt()
        wait_for(lambda: spools(emitter) == [], "the adoption")
    finally:
        child = int((emitter.settings.home_path / "child").read_text())
        subprocess.run(["kill", "-9", str(child)], check=True)
    found = told(valkey_bus)
    assert sorted(map(str, found)) == ["child", "parent after", "parent before"]
    assert found.index("parent before") < found.index("parent after")


def test_threads_do_not_hinder_each_other(make: Make, valkey: RedisPart, valkey_bus: Bus) -> None:
    """Without this parallel searches would lose or double events, or mix up their order."""
    emitter = make()
    say(emitter, "first")

    def work(name: str) -> None:
        for n in range(150):
            say(emitter, f"{name} {n}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for number, thread in enumerate(threads):
        if number == 2:
            valkey.stop()
        thread.start()
    valkey.start()
    for thread in threads:
        thread.join(30)
    sent(emitter)
    for name in "abcd":
        mine = [text for text in told(valkey_bus) if text and text.startswith(f"{name} ")]
        assert mine == [f"{name} {n}" for n in range(150)]
    assert len(told(valkey_bus)) == 601


def test_what_is_wrong_is_said_at_once(make: Make, valkey: RedisPart) -> None:
    """Without this a programming error would show up hours later, in another process."""
    emitter = make()
    wrong = dataclasses.replace(IDENTITY, event_type="no such type!")
    for _ in range(2):
        with pytest.raises(InvalidEvent):
            emitter.append(wrong, State(None), "k")
        with contextlib.suppress(AttributeError):
            valkey.stop(kill=True)
        say(emitter, "to the spool")


def test_what_redis_refuses_does_not_hold_up_the_rest(
    make: Make, valkey: RedisPart, valkey_bus: Bus, valkey_raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Without this one event that Redis does not take would keep all others in the spool."""
    left, emitter = make(), make()
    valkey.stop()
    say(left, "bad")
    say(left, "good")
    left.close()
    (path,) = spools(emitter)
    path.write_bytes(path.read_bytes().replace(b'"bad"', b'["x]'))
    valkey.start()
    with caplog.at_level(logging.ERROR):
        emitter.adopt()
        wait_for(lambda: spools(emitter) == [], "the adoption")
    assert told(valkey_bus) == ["good"]
    assert "was refused" in caplog.text
    (gap,) = logged(valkey_bus, "gap")
    assert gap["event_data"]["by"] == {"audit": 1}
    valkey_raw.delete(keys.LOG)
    valkey_raw.set(keys.LOG, "not a stream")
    with pytest.raises(BusRefused):
        say(emitter, "refused")
    assert not emitter.pending

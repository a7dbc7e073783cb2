"""The circuit breaker: when it opens, whom it lets try, and when it closes again. No test sleeps: the clock is ours."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pipeline.breaker import Breaker
from tests.parts.waiting import wait_for


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The breaker's clock."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """One that opens after three failures, for ten seconds."""
    return Breaker(3, 10.0, clock)


def opened(breaker: Breaker) -> Breaker:
    """The breaker after its failures."""
    for _ in range(3):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_a_few_failures_change_nothing(breaker: Breaker) -> None:
    """Without this one slow answer would keep all events from Redis for a while."""
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        assert breaker.allows()
        breaker.succeeded()
    assert (breaker.is_open(), breaker.wait_seconds()) == (False, 0.0)


def test_it_opens_for_its_time(breaker: Breaker, clock: Clock) -> None:
    """Without this each event would wait 50 ms for a Redis that is gone."""
    opened(breaker)
    assert breaker.is_open()
    assert not breaker.allows()
    clock.now += 9.9
    assert not breaker.allows()
    assert breaker.wait_seconds() == pytest.approx(0.1)


def test_one_trial_decides(breaker: Breaker, clock: Clock) -> None:
    """Without this Redis would be stormed by everybody in the moment in which it comes back."""
    opened(breaker)
    clock.now += 10
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.failed()
    clock.now += 9.9
    assert not breaker.allows()
    clock.now += 0.1
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True, True, True]
    breaker.failed()
    assert breaker.allows()


def test_a_trial_of_which_nothing_is_heard_is_not_waited_for(breaker: Breaker, clock: Clock) -> None:
    """Without this events would be kept back for ever because a thread died in its trial."""
    opened(breaker)
    clock.now += 10
    assert breaker.allows()
    clock.now += 10
    assert breaker.allows()


def test_of_many_threads_one_tries(breaker: Breaker, clock: Clock) -> None:
    """Without this as many threads as there are would wait for a Redis that is still gone."""
    opened(breaker)
    clock.now += 10
    together = threading.Barrier(8)
    allowed: list[bool] = []

    def ask() -> None:
        together.wait(10)
        allowed.append(breaker.allows())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(allowed) == [False] * 7 + [True]


def test_a_child_is_not_stuck_in_its_parents_lock(breaker: Breaker, clock: Clock) -> None:
    """Without this a worker's child that was forked in a bad moment would hang at its first event."""
    opened(breaker)
    clock.now += 10
    with breaker._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(0 if breaker.allows() and not breaker.allows() else 1)
    ended: list[tuple[int, int]] = []
    wait_for(lambda: ended.append(os.waitpid(child, os.WNOHANG)) or ended[-1][0] == child, "the child's end")
    assert ended[-1][1] == 0

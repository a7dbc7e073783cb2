"""The announcement of a process's end, which feeds and waiting requests hear."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from web.closing import Closing


@pytest.fixture
def usual() -> Iterator[list[int]]:
    """What the process does at SIGUSR2 otherwise: it notes that it came."""
    came: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: came.append(number))
    yield came
    signal.signal(signal.SIGUSR2, before)


def test_who_waits_is_told_and_who_has_gone_is_not() -> None:
    """Without this a feed would be served on until it is cut off, or a descriptor be written to that is another's."""
    closing, told = Closing(), []
    with closing.telling(lambda: told.append("gone")):
        assert not closing.begun
    with closing.telling(lambda: told.append("first")), closing.telling(lambda: told.append("second")):
        closing.begin()
    assert closing.begun
    assert told == ["first", "second"]


def test_the_signal_is_announced_before_what_it_does_otherwise(usual: list[int]) -> None:
    """Without this gunicorn would wait for feeds that know nothing of the end."""
    closing, order = Closing(), []
    closing.begin_at(signal.SIGUSR2)
    with closing.telling(lambda: order.append(list(usual))):
        os.kill(os.getpid(), signal.SIGUSR2)
    assert closing.begun
    assert (order, usual) == ([[]], [signal.SIGUSR2])
